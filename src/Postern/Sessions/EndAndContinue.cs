using Postern.Http;

namespace Postern.Sessions;

internal sealed record EndAndContinue(
    [Text("The live run, which ends.", 1, 256)] string CallingRunId,
    [Text("Why, for people.", 1, 64)] string Reason
);

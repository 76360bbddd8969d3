using Postern.Http;

namespace Postern.Sessions;

internal sealed record CloseSession(
    [Text("Why, for people.", 0, 256, IsProse = true)] string? Reason,
    [Text("The run that closes the session, which is not ended.", 1, 256)] string? CallingRunId
);

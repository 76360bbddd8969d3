using Postern.Http;

namespace Postern.Triggers;

internal sealed record MessageView([Member("What was done, for people.")] string Message);

using Postern.Http;

namespace Postern.Triggers;

internal sealed record StartedView([Member("The id of the captured request.")] string RequestId);

using Postern.Http;

namespace Postern.Dispatch;

internal sealed record WorkerUrls([Member("Where runs are listed.")] string Runs);

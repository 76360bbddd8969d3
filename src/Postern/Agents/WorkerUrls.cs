using Postern.Http;

namespace Postern.Agents;

internal sealed record WorkerUrls([Member("Where runs are listed.")] string Runs);

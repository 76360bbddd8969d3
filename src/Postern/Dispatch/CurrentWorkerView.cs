using Postern.Http;

namespace Postern.Dispatch;

internal sealed record CurrentWorkerView(
    [Member("The agents, as tasks of a worker.")] WorkerView Worker,
    [Member("Where to go on.")] WorkerUrls Urls
);

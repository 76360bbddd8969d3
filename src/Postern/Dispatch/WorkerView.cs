using Postern.Http;

namespace Postern.Dispatch;

internal sealed record WorkerView(
    [Member("Changes with the agents.")] string Id,
    [Member("Changes with the agents.")] string Version,
    [Member("V2.")] string Engine,
    [Member("The server's version.")] string SdkVersion,
    [Member("The server's version.")] string CliVersion,
    [Member("The agents.")] IReadOnlyList<TaskView> Tasks
);

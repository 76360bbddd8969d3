using Postern.Agents;
using Postern.Http;

namespace Postern.Dispatch;

[Strict]
internal sealed record PutAgent(
    [Word("http is called, pull claims its runs, echo is built in.", Agent.Http, Agent.Pull, Agent.Echo)] string Kind,
    [Text("The URL that an http agent is called at.", 1, 2048)] string? Url,
    [Text("Signs the calls: whsec_…. Without one the server makes one, and the answer shows it.", 1, 256)]
        string? Secret,
    [Whole("Runs under way at once; more wait.", 1, 100_000)] long? Concurrency,
    [Whole("Seconds that a run without a turn stays live.", 1, 3600)] long? IdleSeconds,
    [Member("Seconds that runs may last.")] AgentDeadlines? Deadlines,
    [Member("How often a dispatch is tried.")] AgentRetry? Retry,
    [Member("Whether it is given the links of questions. For administrators.")] bool? Links
);

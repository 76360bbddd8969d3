using System.Text.Json;
using Postern.Http;
using Postern.Runs;

namespace Postern.Dispatch;

[Strict]
internal sealed record CreateRun(
    [Text("The slug of the agent that does the work.", 1, 128)] string Agent,
    [Text("The workflow that the run goes along.", 1, 64, Default = "agent")] string Workflow,
    [Text("The session that the run works in: its id or external id.", 1, 512)] string? SessionId,
    [Member("What the agent is given: any JSON.")] JsonElement? Input,
    [Texts("Words to find the run by.", 10, 128)] IReadOnlyList<string>? Tags,
    [Chosen("A JSON object that is kept with the run.")] JsonElement? Metadata,
    [Text("The same key and content again is the same run. As the header Idempotency-Key.", 1, 255)]
        string? IdempotencyKey,
    [Member("Where the end of the run is told.")] CreateRunCallback? Callback,
    [Whole("Seconds that one attempt may last.", 1, 2_592_000)] long? DeadlineSeconds,
    [Member("False: the run waits for POST …/start.", Default = true)] bool Start
);

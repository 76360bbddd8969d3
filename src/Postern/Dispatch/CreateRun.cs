using System.Text.Json;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;

namespace Postern.Dispatch;

[Strict]
internal sealed record CreateRun
{
    public const int MaxKey = 255;

    [Text("The slug of the agent that does the work.", 1, 128)]
    public required string Agent { get; init; }

    [Text("The workflow that the run goes along.", 1, 64, Default = "agent")]
    public required string Workflow { get; init; }

    [Text("The session that the run works in: its id or external id.", 1, Session.MaxExternalId)]
    public string? SessionId { get; init; }

    [AnyJson("What the agent is given: any JSON.", IsMended = true)]
    public JsonElement? Input { get; init; }

    [Texts("Words to find the run by.", 10, 128)]
    public IReadOnlyList<string>? Tags { get; init; }

    [Chosen("A JSON object that is kept with the run.", MaxLength = 16 * 1024)]
    public JsonElement? Metadata { get; init; }

    [Text("The same key and content again is the same run. As the header Idempotency-Key.", 1, MaxKey)]
    public string? IdempotencyKey { get; init; }

    [Member("Where the end of the run is told.")]
    public CreateRunCallback? Callback { get; init; }

    [Whole("Seconds that one attempt may last.", 1, 2_592_000)]
    public long? DeadlineSeconds { get; init; }

    [Member("False: the run waits for POST …/start.", Default = true)]
    public bool Start { get; init; }
}

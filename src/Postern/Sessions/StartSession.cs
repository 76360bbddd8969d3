using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

internal sealed record StartSession(
    [Text("The kind of session, chosen by the client: such as chat.", 1, 64)] string Type,
    [Text(
        "The client's own name of the session. Started again it is the same session.",
        1,
        Session.MaxExternalId,
        Trims = true
    )]
        string? ExternalId,
    [Text("The slug of the agent that answers.", 1, 128)] string TaskIdentifier,
    [Member("How runs of the session are started.")] SessionTriggerConfig TriggerConfig,
    [Texts("Words to find the session by.", 10, 128)] IReadOnlyList<string>? Tags,
    [Chosen("A JSON object that is kept with the session.")] JsonElement? Metadata,
    [Instant("When the session expires.")] long? ExpiresAt
);

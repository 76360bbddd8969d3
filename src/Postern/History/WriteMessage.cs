using System.Text.Json;
using Postern.Http;
using Postern.Sessions;

namespace Postern.History;

[Strict]
internal sealed record WriteMessage(
    [Word("Who speaks.", typeof(ChatMessage), nameof(ChatMessage.Roles))] string Role,
    [Chosen("A text, or blocks: objects with a type.", "string", "array", IsRaw = true)] JsonElement Content,
    [Text("The same key and message again is one message.", 1, 256)] string? IdempotencyKey
);

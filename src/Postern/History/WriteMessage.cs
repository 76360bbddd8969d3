using System.Text.Json;
using Postern.Http;

namespace Postern.History;

[Strict]
internal sealed record WriteMessage(
    [Word("Who speaks.", "user", "assistant", "toolResult", "system")] string Role,
    [Chosen("A text, or blocks: objects with a type.", "string", "array")] JsonElement Content,
    [Text("The same key and message again is one message.", 1, 256)] string? IdempotencyKey
);

using System.Text.Json;

namespace Postern.Support;

/// <summary>One server-sent event, or a comment.</summary>
internal sealed record ServerEvent(string Name, string? Id, string Data)
{
    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Data);
}

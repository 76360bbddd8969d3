using System.Text.Json;
using Postern.Http;

namespace Postern.Deliveries;

internal sealed record EventView(
    [Member("The event's id.")] string Id,
    [Member("Its type.")] string Type,
    [At("When it happened.")] string Timestamp,
    [Chosen("What happened.")] JsonElement Data
)
{
    public static EventView Of(string id, byte[] body)
    {
        var json = JsonSerializer.Deserialize<JsonElement>(body, Wire.Json);
        return new EventView(
            id,
            json.GetProperty("type").GetString()!,
            json.GetProperty("timestamp").GetString()!,
            json.GetProperty("data")
        );
    }
}

using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Chaos;

/// <summary>An answer. Its status is 0 when none came, or only a part.</summary>
internal sealed record Answer(int Status, string Text)
{
    public static readonly Answer None = new(0, "");

    public bool Ok => Status is >= 200 and < 300;

    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Text);

    public string String(string name) => Json.GetProperty(name).GetString()!;
}

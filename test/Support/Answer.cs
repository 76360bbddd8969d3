using System.Text;
using System.Text.Json;

namespace Postern.Support;

/// <summary>A whole answer.</summary>
internal sealed class Answer(HttpResponseMessage response, byte[] body)
{
    public int Status { get; } = (int)response.StatusCode;

    public string Text { get; } = Encoding.UTF8.GetString(body);

    public byte[] Body { get; } = body;

    private readonly Dictionary<string, string> _headers = response
        .Headers.Concat(response.Content.Headers)
        .ToDictionary(h => h.Key, h => string.Join(", ", h.Value), StringComparer.OrdinalIgnoreCase);

    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Text, Postern.Http.Wire.Json);

    /// <summary>All headers, a line each.</summary>
    public IEnumerable<string> HeaderLines => _headers.Select(h => $"{h.Key}: {h.Value}");

    public string? Header(string name) => _headers.GetValueOrDefault(name);

    public string String(string name) => Json.GetProperty(name).GetString()!;

    public override string ToString() => $"{Status} {Text}";
}

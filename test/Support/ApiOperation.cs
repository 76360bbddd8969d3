using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Postern.Support;

/// <summary>One operation of the document.</summary>
internal sealed partial class ApiOperation(ApiDocument document, string path, string method, JsonNode operation)
{
    public string Path { get; } = path;

    public string Method { get; } = method;

    public string[] Segments { get; } = path.Split('/');

    public int Words => Segments.Count(s => !s.StartsWith('{'));

    public bool Matches(string[] segments) =>
        Segments
            .Zip(segments)
            .All(pair => pair.First.StartsWith('{') ? pair.Second.Length > 0 : pair.First == pair.Second);

    public List<string> ProblemsOfRequest(HttpRequestMessage request, byte[]? body)
    {
        var problems = new List<string>();
        var query = Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(request.RequestUri!.Query);
        var known = operation["parameters"]?.AsArray().Where(p => p!["in"]!.ToString() == "query") ?? [];
        foreach (var parameter in known)
        {
            var name = parameter!["name"]!.ToString();
            if (query.TryGetValue(name, out var given))
                problems.AddRange(ProblemsOf(parameter["schema"]!, given.ToString(), "?" + name));
        }
        if (body is null || operation["requestBody"] is not { } taken)
            return problems;
        if (body.Length == 0)
        {
            if (taken["required"]!.GetValue<bool>())
                problems.Add("No body was needed.");
            return problems;
        }
        // Other encodings than plain UTF-8 are decoded by the server, and tested where it decodes them.
        if (taken["content"]!["application/json"]?["schema"] is not { } schema)
            return problems;
        if (!System.Text.Unicode.Utf8.IsValid(body) || !TryParse(body, out var json))
            return problems;
        // A number that is nearer to 0 than a decimal can be is 0 for the server.
        var text = json.GetRawText();
        if (NearZero().IsMatch(text))
            json = JsonSerializer.Deserialize<JsonElement>(NearZero().Replace(text, "0"));
        problems.AddRange(document.Problems(schema, json, "request"));
        return problems;
    }

    public async Task<List<string>> ProblemsOfAnswerAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        var status = ((int)response.StatusCode).ToString();
        // Every refusal has an id, and no other answer has one.
        if (IsRefusalId().IsMatch(RefusalIdOf(response)) != (status is "401" or "403" or "429"))
            return [$"{status} came with the X-Refusal-Id '{RefusalIdOf(response)}'."];
        var responses = operation["responses"]!;
        if (document.Resolve(responses[status] ?? responses["default"]) is not { } said)
            return [$"The status {status} is not documented."];
        var media = response.Content.Headers.ContentType?.MediaType;
        if (Method == "HEAD")
            return [];
        if (media is null)
            return said["content"] is null || responses[status] is null ? [] : [$"{status} came without its body."];
        if (said["content"]?[media]?["schema"] is not { } schema)
            return [$"{status} is {media}, which is not documented."];
        if (!media.EndsWith("json", StringComparison.Ordinal))
            return [];
        await response.Content.LoadIntoBufferAsync(cancel);
        var body = await response.Content.ReadAsByteArrayAsync(cancel);
        if (response.Content.Headers.ContentEncoding.Count > 0)
            body = Unzip(body);
        return TryParse(body, out var json) ? document.Problems(schema, json, status) : [$"{status} is not JSON."];
    }

    private List<string> ProblemsOf(JsonNode schema, string given, string where)
    {
        JsonNode value = schema["type"]!.ToString() switch
        {
            "integer" => decimal.TryParse(given, out var number) ? number : given,
            "array" => new JsonArray([
                .. given
                    .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                    .Select(g => (JsonNode)g),
            ]),
            _ => given,
        };
        return document.Problems(schema, JsonSerializer.SerializeToElement(value), where);
    }

    private static string RefusalIdOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues("X-Refusal-Id", out var ids) ? string.Join(' ', ids) : "";

    [GeneratedRegex("^aud_[0-9a-z]{26}$")]
    private static partial Regex IsRefusalId();

    private static bool TryParse(byte[] body, out JsonElement json)
    {
        json = default;
        try
        {
            json = JsonSerializer.Deserialize<JsonElement>(body, new JsonSerializerOptions { MaxDepth = 512 });
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"-?\d+(\.\d+)?[eE]-\d{2,}", RegexOptions.CultureInvariant)]
    private static partial Regex NearZero();

    private static byte[] Unzip(byte[] body)
    {
        using var whole = new MemoryStream();
        using var zip = new System.IO.Compression.GZipStream(
            new MemoryStream(body),
            System.IO.Compression.CompressionMode.Decompress
        );
        zip.CopyTo(whole);
        return whole.ToArray();
    }
}

using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Json.Schema;

namespace Postern.Support;

/// <summary>
/// Holds each exchange of a test against openapi.json, and fails the test that made it. An answer must have a status, a
/// content type and a body as the document says, without a member that it does not name. A request that was taken must
/// have been one that the document allows. What no path of the document matches is not looked at, and neither is the
/// text of a stream.
/// </summary>
internal sealed class DocumentCheck(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    private static readonly Lazy<ApiDocument> Document = new(ApiDocument.Read);

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // What is made of bytes can be read twice; other contents are streams that a test holds in its hand.
        var sent = request.Content is null or ByteArrayContent
            ? await (request.Content?.ReadAsByteArrayAsync(cancellationToken) ?? Task.FromResult(Array.Empty<byte>()))
            : null;
        var path = PathOf(request.RequestUri!);
        var response = await base.SendAsync(request, cancellationToken);
        var method = request.Method.Method;
        if (!Methods.Contains(method) || Document.Value.Find(path, method) is not { } operation) return response;
        var problems = await operation.ProblemsOfAnswerAsync(response, cancellationToken);
        if (response.IsSuccessStatusCode) problems.AddRange(operation.ProblemsOfRequest(request, sent));
        if (problems.Count == 0) return response;
        Assert.Fail($"{request.Method} {operation.Path} is not as openapi.json says:\n{string.Join('\n', problems)}");
        return response;
    }

    /// <summary>As it was sent: the URI class undoes some escapes.</summary>
    private static string PathOf(Uri uri)
    {
        var text = uri.IsAbsoluteUri ? uri.PathAndQuery : uri.OriginalString;
        return text.Split('?', 2)[0];
    }
}

/// <summary>openapi.json, with its schemas ready to be held against bodies.</summary>
internal sealed class ApiDocument
{
    private readonly JsonNode _root;
    private const string Base = "https://postern.invalid/openapi";
    private readonly Dictionary<int, List<ApiOperation>> _bySegments = [];
    private readonly ConcurrentDictionary<string, JsonSchema> _schemas = new(StringComparer.Ordinal);
    private readonly BuildOptions _build = new() { SchemaRegistry = new SchemaRegistry() };

    public static ApiDocument Read() => new(JsonNode.Parse(File.ReadAllBytes(Repository.File("openapi.json")))!);

    private ApiDocument(JsonNode root)
    {
        _root = root;
        var components = new JsonObject();
        foreach (var (name, schema) in root["components"]!["schemas"]!.AsObject()) components[name] = Closed(schema!);
        var all = new JsonObject { ["$id"] = Base, ["$defs"] = components };
        JsonSchema.FromText(all.ToJsonString(), _build);
        foreach (var (path, operations) in root["paths"]!.AsObject())
        {
            foreach (var (method, operation) in operations!.AsObject())
            {
                var made = new ApiOperation(this, path, method.ToUpperInvariant(), operation!);
                if (!_bySegments.TryAdd(made.Segments.Length, [made])) _bySegments[made.Segments.Length].Add(made);
            }
        }
    }

    /// <summary>What a reference stands for; anything else as it is.</summary>
    public JsonNode? Resolve(JsonNode? node) => node?["$ref"] is { } reference
        ? reference.ToString().Split('/').Skip(1).Aggregate(_root, (at, name) => at[name]!)
        : node;

    /// <summary>The operation of a path; one with fixed words before one with parameters.</summary>
    public ApiOperation? Find(string path, string method)
    {
        var segments = path.Split('/');
        return _bySegments.TryGetValue(segments.Length, out var list)
            ? list.Where(o => o.Method == method && o.Matches(segments)).MaxBy(o => o.Words)
            : null;
    }

    /// <summary>What is wrong with a value; nothing when it is as the schema says.</summary>
    public List<string> Problems(JsonNode schema, JsonElement value, string where)
    {
        var text = schema.ToJsonString();
        var known = _schemas.GetOrAdd(text, t => JsonSchema.FromText(
            t.Replace("#/components/schemas/", Base + "#/$defs/", StringComparison.Ordinal), _build));
        EvaluationResults results;
        try
        {
            results = known.Evaluate(value, new EvaluationOptions { OutputFormat = OutputFormat.List });
        }
        catch (InvalidOperationException)
        {
            // A text that is no Unicode has no length: tests of such texts look at them by themselves.
            return [];
        }
        if (results.IsValid) return [];
        var shown = value.GetRawText();
        var failed = (results.Details ?? []).Append(results).Where(d => d.Errors is { Count: > 0 });
        return
        [
            .. failed.SelectMany(d => d.Errors!.Select(e => $"{where}{d.InstanceLocation}: {e.Value}")),
            shown.Length > 1000 ? shown[..1000] : shown,
        ];
    }

    /// <summary>A record holds what it names and nothing else, unless it says so.</summary>
    private static JsonNode Closed(JsonNode schema)
    {
        var text = schema.ToJsonString().Replace("#/components/schemas/", "#/$defs/", StringComparison.Ordinal);
        var closed = JsonNode.Parse(text)!.AsObject();
        if (closed["properties"] is not null) closed["additionalProperties"] ??= false;
        return closed;
    }
}

/// <summary>One operation of the document.</summary>
internal sealed partial class ApiOperation(ApiDocument document, string path, string method, JsonNode operation)
{
    public string Path { get; } = path;

    public string Method { get; } = method;

    public string[] Segments { get; } = path.Split('/');

    public int Words => Segments.Count(s => !s.StartsWith('{'));

    public bool Matches(string[] segments) => Segments.Zip(segments).All(pair => pair.First.StartsWith('{')
        ? pair.Second.Length > 0
        : pair.First == pair.Second);

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
        if (body is null || operation["requestBody"] is not { } taken) return problems;
        if (body.Length == 0)
        {
            if (taken["required"]!.GetValue<bool>()) problems.Add("No body was needed.");
            return problems;
        }
        // Other encodings of JSON than plain UTF-8 are read by the server, and tested where they are read.
        if (taken["content"]!["application/json"]?["schema"] is not { } schema) return problems;
        if (!System.Text.Unicode.Utf8.IsValid(body) || !TryParse(body, out var json)) return problems;
        // A number that is nearer to 0 than a decimal can be is 0 to the server.
        var text = json.GetRawText();
        if (NearZero().IsMatch(text)) json = JsonSerializer.Deserialize<JsonElement>(NearZero().Replace(text, "0"));
        problems.AddRange(document.Problems(schema, json, "request"));
        return problems;
    }

    public async Task<List<string>> ProblemsOfAnswerAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        var status = ((int)response.StatusCode).ToString();
        var responses = operation["responses"]!;
        if (document.Resolve(responses[status] ?? responses["default"]) is not { } said)
            return [$"The status {status} is not documented."];
        var media = response.Content.Headers.ContentType?.MediaType;
        if (Method == "HEAD") return [];
        if (media is null)
            return said["content"] is null || responses[status] is null ? [] : [$"{status} came without its body."];
        if (said["content"]?[media]?["schema"] is not { } schema)
            return [$"{status} is {media}, which is not documented."];
        if (!media.EndsWith("json", StringComparison.Ordinal)) return [];
        await response.Content.LoadIntoBufferAsync(cancel);
        var body = await response.Content.ReadAsByteArrayAsync(cancel);
        if (response.Content.Headers.ContentEncoding.Count > 0) body = Unzip(body);
        return TryParse(body, out var json) ? document.Problems(schema, json, status) : [$"{status} is not JSON."];
    }

    private List<string> ProblemsOf(JsonNode schema, string given, string where)
    {
        JsonNode value = schema["type"]!.ToString() switch
        {
            "integer" => decimal.TryParse(given, out var number) ? number : given,
            "array" => new JsonArray([.. given.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(g => (JsonNode)g)]),
            _ => given,
        };
        return document.Problems(schema, JsonSerializer.SerializeToElement(value), where);
    }

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
        using var zip = new System.IO.Compression.GZipStream(new MemoryStream(body), System.IO.Compression.CompressionMode.Decompress);
        zip.CopyTo(whole);
        return whole.ToArray();
    }
}

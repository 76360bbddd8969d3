using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;

namespace Postern.Support;

/// <summary>
/// The file openapi.json, with schemas that can be compared with bodies. Everything is built before the first
/// comparison, because tests run on many threads: two of them must not fill the nodes or the register of schemas at the
/// same time.
/// </summary>
internal sealed class ApiDocument
{
    private readonly JsonNode _root;
    private const string Base = "https://postern.invalid/openapi";
    private readonly Dictionary<int, List<ApiOperation>> _bySegments = [];
    private readonly Dictionary<string, JsonSchema> _schemas = new(StringComparer.Ordinal);

    public static ApiDocument Read() => new(JsonNode.Parse(File.ReadAllBytes(Repository.File("openapi.json")))!);

    private ApiDocument(JsonNode root)
    {
        _root = root;
        var components = new JsonObject();
        foreach (var (name, schema) in root["components"]!["schemas"]!.AsObject())
            components[name] = Closed(schema!);
        var all = new JsonObject { ["$id"] = Base, ["$defs"] = components };
        var build = new BuildOptions { SchemaRegistry = new SchemaRegistry() };
        JsonSchema.FromText(all.ToJsonString(), build);
        BuildSchemas(root, build);
        foreach (var (path, operations) in root["paths"]!.AsObject())
        {
            foreach (var (method, operation) in operations!.AsObject())
            {
                var made = new ApiOperation(this, path, method.ToUpperInvariant(), operation!);
                if (!_bySegments.TryAdd(made.Segments.Length, [made]))
                    _bySegments[made.Segments.Length].Add(made);
            }
        }
    }

    /// <summary>Returns the target of a reference; anything else unchanged.</summary>
    public JsonNode? Resolve(JsonNode? node) =>
        node?["$ref"] is { } reference
            ? reference.ToString().Split('/').Skip(1).Aggregate(_root, (at, name) => at[name]!)
            : node;

    /// <summary>Returns the operation of a path; a path with fixed words before one with parameters.</summary>
    public ApiOperation? Find(string path, string method)
    {
        var segments = path.Split('/');
        return _bySegments.TryGetValue(segments.Length, out var list)
            ? list.Where(o => o.Method == method && o.Matches(segments)).MaxBy(o => o.Words)
            : null;
    }

    /// <summary>Returns what is wrong with a value; nothing when it matches the schema.</summary>
    public List<string> Problems(JsonNode schema, JsonElement value, string where)
    {
        var known = _schemas[schema.ToJsonString()];
        EvaluationResults results;
        try
        {
            results = known.Evaluate(value, new EvaluationOptions { OutputFormat = OutputFormat.List });
        }
        catch (InvalidOperationException)
        {
            // A text that is no Unicode has no length; other tests check such texts.
            return [];
        }
        if (results.IsValid)
            return [];
        var shown = value.GetRawText();
        var failed = (results.Details ?? []).Append(results).Where(d => d.Errors is { Count: > 0 });
        return
        [
            .. failed.SelectMany(d => d.Errors!.Select(e => $"{where}{d.InstanceLocation}: {e.Value}")),
            shown.Length > 1000 ? shown[..1000] : shown,
        ];
    }

    /// <summary>Reads every node once, which also fills it, and builds the schemas.</summary>
    private void BuildSchemas(JsonNode? node, BuildOptions build)
    {
        switch (node)
        {
            case JsonObject members:
                foreach (var (name, value) in members)
                {
                    BuildSchemas(value, build);
                    var text = name == "schema" ? value!.ToJsonString() : null;
                    if (text is not null && !_schemas.ContainsKey(text))
                        _schemas[text] = JsonSchema.FromText(
                            text.Replace("#/components/schemas/", Base + "#/$defs/", StringComparison.Ordinal),
                            build
                        );
                }
                break;
            case JsonArray items:
                foreach (var item in items)
                    BuildSchemas(item, build);
                break;
        }
    }

    /// <summary>A record contains only the members that it names, unless it says otherwise.</summary>
    private static JsonNode Closed(JsonNode schema)
    {
        var text = schema.ToJsonString().Replace("#/components/schemas/", "#/$defs/", StringComparison.Ordinal);
        var closed = JsonNode.Parse(text)!.AsObject();
        if (closed["properties"] is not null)
            closed["additionalProperties"] ??= false;
        return closed;
    }
}

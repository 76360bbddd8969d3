using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;

namespace Postern.Support;

/// <summary>
/// openapi.json, with its schemas ready to be held against bodies. All is built before the first is asked for, as tests
/// ask from many threads: neither the nodes nor the register of schemas may be filled by two at once.
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

    /// <summary>What a reference stands for; anything else as it is.</summary>
    public JsonNode? Resolve(JsonNode? node) =>
        node?["$ref"] is { } reference
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
        var known = _schemas[schema.ToJsonString()];
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

    /// <summary>Reads every node once, which also fills it, and builds what stands under "schema".</summary>
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

    /// <summary>A record holds what it names and nothing else, unless it says so.</summary>
    private static JsonNode Closed(JsonNode schema)
    {
        var text = schema.ToJsonString().Replace("#/components/schemas/", "#/$defs/", StringComparison.Ordinal);
        var closed = JsonNode.Parse(text)!.AsObject();
        if (closed["properties"] is not null)
            closed["additionalProperties"] ??= false;
        return closed;
    }
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Http;

namespace Postern.Access;

/// <summary>
/// The OpenAPI document, made from the door declarations that also enforce. The schemas are those of the records that
/// the doors name (<see cref="Schemas"/>). Every operation has two answers that no door declares: 429 of the server's
/// limits, always problem details, and any other refusal in the error format of the door.
/// </summary>
internal sealed class OpenApiDocument
{
    private const string Json = "application/json";
    private readonly Schemas _schemas = new();
    private readonly SortedDictionary<string, JsonObject> _refusals = new(StringComparer.Ordinal);

    private static readonly Dictionary<string, string> PathWords = new(StringComparer.Ordinal)
    {
        ["agent"] = "The agent's slug.",
        ["approval"] = "The id of a question.",
        ["delivery"] = "The delivery's id.",
        ["endpoint"] = "The endpoint's id, chosen by who puts it.",
        ["env"] = "The environment that the client names; all are the same to this server.",
        ["id"] = "The id.",
        ["io"] = "The channel: in is what users say, out what the agent says.",
        ["job"] = "The id of a job over many things.",
        ["key"] = "The session's key, agent:{slug}:{name}, or its name alone. Percent-encoded.",
        ["name"] = "The name of a side channel.",
        ["owner"] = "Whose trigger it is.",
        ["page"] = "A question to a person: 22 characters of its link.",
        ["plane"] = "The id of a server that has joined the relay.",
        ["project"] = "The project's id.",
        ["ref"] = "The project's id or name.",
        ["request"] = "The id of a captured request.",
        ["run"] = "The run's id.",
        ["service"] = "The name of an approval service.",
        ["session"] = "The session's id or external id. Percent-encoded.",
        ["slug"] = "The agent's slug.",
        ["target"] = "The path of the door at the server, as it spells it.",
        ["token"] = "The receipt's token, which was given once.",
        ["trigger"] = "The trigger's id, chosen by who makes it.",
        ["workflow"] = "The workflow's name.",
    };

    private static readonly (string Name, string Description)[] Tags =
    [
        ("Administration", "Keys, projects, callback secrets and the audit."),
        ("Agents", "The agents that do the work, and the claims of those that fetch it."),
        ("Approvals", "Questions to people, and their answers."),
        ("Deliveries", "Events, who subscribes to them, and what was sent."),
        ("History", "Transcripts: reading, following and adding to them."),
        ("Runs", "Pieces of work: starting, following, reporting, ending them."),
        ("Server", "Whether the server lives and can serve."),
        ("Sessions", "Conversations and their channels."),
        ("Tokens", "Minting and ending tokens."),
        ("Triggers", "Webhooks and schedules that start agents, and the requests they captured."),
    ];

    private static readonly Dictionary<int, string> StatusWords = new()
    {
        [0] = "Any other refusal.",
        [304] = "What the caller has is still so.",
        [400] = "The request is not valid.",
        [401] = "The credential is missing or not valid.",
        [403] = "The credential is not allowed to do this.",
        [404] = "There is no such thing, or it is not for this caller.",
        [405] = "The method is not allowed.",
        [409] = "The present state does not allow it.",
        [410] = "It is over.",
        [413] = "The body is too large.",
        [415] = "The content type is not taken.",
        [422] = "The request is valid, but cannot be done.",
        [429] = "Too many requests: Retry-After says when to come again.",
        [500] = "The server failed.",
        [503] = "The server cannot do it now.",
    };

    /// <summary>
    /// Returns the document as it is served and as the golden file contains it, with paths and schemas sorted by name.
    /// </summary>
    public static byte[] Render(IEnumerable<Door> doors)
    {
        var document = new OpenApiDocument().Make([.. doors.Where(d => !d.Hidden)]);
        using var buffer = new MemoryStream();
        var options = new JsonWriterOptions
        {
            Indented = true,
            NewLine = "\n",
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        using (var json = new Utf8JsonWriter(buffer, options))
            document.WriteTo(json);
        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private JsonObject Make(List<Door> doors)
    {
        // Requests first: a record that is used in requests and answers gets its request form, in which nullable
        // members are optional.
        foreach (var door in doors.Where(d => d.Request is not null))
            RequestOf(door);
        var paths = new JsonObject();
        foreach (
            var path in doors.GroupBy(d => d.Path, StringComparer.Ordinal).OrderBy(p => p.Key, StringComparer.Ordinal)
        )
        {
            var operations = new JsonObject();
            foreach (var door in path.OrderBy(d => d.Method, StringComparer.Ordinal))
                operations[door.Method == Door.AnyMethod ? "post" : door.Method.ToLowerInvariant()] = Operation(door);
            paths[path.Key] = operations;
        }
        return new JsonObject
        {
            ["openapi"] = "3.1.1",
            ["info"] = new JsonObject
            {
                ["title"] = "Postern",
                ["version"] = "1",
                ["description"] =
                    "The front door of an agent platform. Every route names the credential that opens it.",
                ["license"] = new JsonObject { ["name"] = "MIT", ["identifier"] = "MIT" },
            },
            ["servers"] = new JsonArray(new JsonObject { ["url"] = "/", ["description"] = "This server." }),
            ["tags"] = new JsonArray([
                .. Tags.Select(t => new JsonObject { ["name"] = t.Name, ["description"] = t.Description }),
            ]),
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["schemas"] = _schemas.Components(),
                ["responses"] = new JsonObject(_refusals.Select(r => KeyValuePair.Create(r.Key, (JsonNode?)r.Value))),
                ["securitySchemes"] = SecuritySchemes(),
            },
        };
    }

    private JsonObject Operation(Door door)
    {
        var operation = new JsonObject
        {
            ["tags"] = new JsonArray(TagOf(door)),
            ["summary"] = door.Summary,
            ["description"] = $"Opens to: {Door.NamesOf(door.Credentials)}. Scope: {door.Authorization.Description}.",
            ["operationId"] = NameOf(door),
        };
        var inPath = door.Path.Split('/').Where(s => s.StartsWith('{')).Select(s => InPath(s.Trim('{', '}', '*')));
        var others = door.Parameters.Select(p => Parameter(p.Name, p.In, p.Description, p.Schema.DeepClone()));
        JsonArray parameters = [.. inPath, .. others];
        if (parameters.Count > 0)
            operation["parameters"] = parameters;
        if (door.Request is not null)
        {
            operation["requestBody"] = new JsonObject
            {
                ["required"] = !door.RequestMayBeEmpty,
                ["content"] = new JsonObject { [door.RequestMedia] = new JsonObject { ["schema"] = RequestOf(door) } },
            };
        }
        operation["responses"] = Responses(door);
        operation["security"] = new JsonArray([.. SchemesOf(door.Credentials).Select(Requirement)]);
        return operation;

        static JsonNode Requirement(string? scheme) =>
            scheme is null ? [] : new JsonObject { [scheme] = new JsonArray() };
    }

    private JsonObject RequestOf(Door door) => _schemas.Of(door.Request!, isRead: true, door.RequestIsPart);

    private JsonObject Responses(Door door)
    {
        var responses = new JsonObject();
        foreach (var status in door.Answers.GroupBy(a => a.Status).OrderBy(s => s.Key))
        {
            var bodies = status.Where(a => a.Body is not null).GroupBy(a => a.Media, a => a.Body!).ToList();
            responses[status.Key.ToString()] =
                status.Key >= 400 && bodies.Count == 0
                    ? Refusal(door, status.Key)
                    : Response(door, status.Key, bodies.Select(media => (media.Key, SchemaOf([.. media]))));
        }
        if (door.Credentials != Credentials.Anyone)
            responses["429"] = Refusal(door, 429);
        responses["default"] = Refusal(door, 0);
        return responses;
    }

    /// <summary>A refusal in the door's error format; for the server's limits also as problem details.</summary>
    /// <param name="door">The door.</param>
    /// <param name="status">0: any that is not named.</param>
    private JsonObject Refusal(Door door, int status)
    {
        if (door.Method == "HEAD")
            return Response(door, status, []);
        var name = door.Family.Shape.Name + (status == 0 ? "" : status);
        if (!_refusals.ContainsKey(name))
        {
            List<(string, JsonObject)> bodies =
            [
                (door.Family.ContentType.Split(';')[0], SchemaOf([door.Family.Shape])),
            ];
            var problems = ProblemFormat.Instance;
            if (status == 429 && door.Family != problems)
                bodies.Add((problems.ContentType, SchemaOf([problems.Shape])));
            _refusals[name] = Response(door, status, bodies);
        }
        return new() { ["$ref"] = "#/components/responses/" + name };
    }

    private static JsonObject Response(Door door, int status, IEnumerable<(string Media, JsonObject Schema)> bodies)
    {
        var response = new JsonObject { ["description"] = StatusWords.GetValueOrDefault(status, "Done.") };
        var content = new JsonObject();
        foreach (var (media, schema) in bodies)
            content[media] = new JsonObject { ["schema"] = schema };
        if (content.Count > 0 && door.Method != "HEAD")
            response["content"] = content;
        if (RefusalId.IsShownOn(status) || status == 0)
            response["headers"] = new JsonObject
            {
                [RefusalId.Header] = new JsonObject
                {
                    ["description"] =
                        "On 401, 403 and 429: the id of the row of the audit that says why. "
                        + "An administrator reads it; it tells the caller nothing.",
                    ["schema"] = new JsonObject { ["type"] = "string" },
                },
            };
        return response;
    }

    private JsonObject SchemaOf(IReadOnlyList<Type> bodies)
    {
        var schemas = bodies.Select(b => _schemas.Of(b, isRead: false)).ToArray();
        return schemas.Length == 1 ? schemas[0] : new() { ["anyOf"] = new JsonArray(schemas) };
    }

    private static JsonObject InPath(string name)
    {
        var schema = new JsonObject { ["type"] = "string", ["minLength"] = 1 };
        if (name == "io")
            schema["enum"] = new JsonArray("in", "out");
        if (name == "env")
            schema["enum"] = new JsonArray("dev", "staging", "prod", "preview");
        return Parameter(name, "path", PathWords[name], schema, required: true);
    }

    private static JsonObject Parameter(
        string name,
        string place,
        string description,
        JsonNode schema,
        bool required = false
    )
    {
        var parameter = new JsonObject
        {
            ["name"] = name,
            ["in"] = place,
            ["description"] = description,
        };
        if (required)
            parameter["required"] = true;
        // A list is one text, separated by commas.
        if (schema["type"]?.ToString() == "array")
            (parameter["style"], parameter["explode"]) = ("form", false);
        parameter["schema"] = schema;
        return parameter;
    }

    private const string AKey = "A project's key, pst_…";

    /// <summary>The security schemes of each kind of credential, with the document's names and descriptions.</summary>
    private static readonly (Credentials Kinds, string Name, Func<JsonObject> Describe)[] Schemes =
    [
        (Credentials.Key | Credentials.PersonalKey, "key", () => Bearer(AKey)),
        (Credentials.Key | Credentials.PersonalKey, "apiKey", () => InHeader("X-API-Key", AKey)),
        (Credentials.InternalKey, "internalKey", () => InHeader("X-Internal-API-Key", AKey)),
        (Credentials.Token, "token", () => Bearer("A signed token with scopes", "JWT")),
        (
            Credentials.RunToken,
            "runToken",
            () =>
                Bearer(
                    "The token of one attempt of one run, from its dispatch or claim, while the attempt has the run",
                    "JWT"
                )
        ),
        (
            Credentials.CallbackToken,
            "callbackToken",
            () =>
                InHeader(
                    Access.CredentialReader.CallbackTokenHeader,
                    "The token of one attempt of one run, from its dispatch"
                )
        ),
        (
            Credentials.CallbackSecret,
            "internalCallbackSecret",
            () => InHeader("X-Callback-Secret", "A project's callback secret")
        ),
        (
            Credentials.CallbackSignature,
            "callbackSignature",
            () =>
                InHeader(
                    "webhook-signature",
                    "Standard Webhooks, signed by the callback secret or the callback token, with the id {run}:{event}"
                )
        ),
        (
            Credentials.Signature,
            "signature",
            () =>
                InHeader(
                    "webhook-signature",
                    "A signature over the raw body, in the header and form of the sender's scheme"
                )
        ),
        (Credentials.Operator, "operator", () => Bearer("A key, or an identity from a trusted proxy")),
    ];

    private static JsonObject SecuritySchemes() =>
        new(
            Schemes
                .OrderBy(s => s.Name, StringComparer.Ordinal)
                .Select(s => KeyValuePair.Create(s.Name, (JsonNode?)s.Describe()))
        );

    private static JsonObject InHeader(string name, string description) =>
        new()
        {
            ["type"] = "apiKey",
            ["description"] = description,
            ["name"] = name,
            ["in"] = "header",
        };

    private static JsonObject Bearer(string description, string? format = null)
    {
        var scheme = new JsonObject
        {
            ["type"] = "http",
            ["description"] = description,
            ["scheme"] = "bearer",
        };
        if (format is not null)
            scheme["bearerFormat"] = format;
        return scheme;
    }

    /// <summary>The schemes that open a door; null stands for none.</summary>
    private static IEnumerable<string?> SchemesOf(Credentials opens)
    {
        foreach (var (kinds, scheme, _) in Schemes)
            if ((opens & kinds) != 0)
                yield return scheme;
        if ((opens & Credentials.Anyone) != 0 && opens != Credentials.Anyone)
            yield return null;
    }

    private static string NameOf(Door door)
    {
        var parts = door.Path.Split('/', '-', '.').Select(s => s.Trim('{', '}', '*')).Where(s => s.Length > 0);
        return door.Method.ToLowerInvariant() + string.Concat(parts.Select(s => char.ToUpperInvariant(s[0]) + s[1..]));
    }

    /// <summary>The first of these words in a path is the door's tag.</summary>
    private static readonly (string Part, string Tag)[] TagsOfPaths =
    [
        ("approval", "Approvals"),
        ("session", "Sessions"),
        ("/agents", "Agents"),
        ("/triggers", "Triggers"),
        ("/callbacks", "Triggers"),
        ("/inbound", "Triggers"),
        ("/runs", "Runs"),
        ("/jobs", "Runs"),
        ("/workflows", "Runs"),
        ("/deliveries", "Deliveries"),
        ("/events", "Deliveries"),
        ("/webhook-endpoints", "Deliveries"),
        ("/auth", "Tokens"),
        ("/jwt", "Tokens"),
        ("/api", "Administration"),
    ];

    private static string TagOf(Door door)
    {
        var tag = TagsOfPaths.FirstOrDefault(t => door.Path.Contains(t.Part, StringComparison.Ordinal)).Tag ?? "Server";
        return tag == "Sessions" && door.Path.StartsWith("/sessions", StringComparison.Ordinal) ? "History" : tag;
    }
}

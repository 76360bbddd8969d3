using System.Reflection;
using System.Text.Json.Nodes;
using Postern.Http;

namespace Postern.Access;

/// <summary>
/// One row of the door table: method and path, the credentials that open it, and its handler. The table, the document
/// and the enforcement are made from this one declaration.
/// </summary>
internal sealed class Door(
    string method,
    string path,
    Credentials opens,
    Authorization rule,
    ErrorFormat family,
    Delegate handler
) : ITakesRecord
{
    public const string AnyMethod = "ANY";

    public string Method { get; } = method;

    public string Path { get; } = path;

    public Credentials Credentials { get; } = opens;

    public Authorization Authorization { get; } = rule;

    public ErrorFormat Family { get; } = family;

    public Delegate Handler { get; } = handler;

    public string Summary { get; private set; } = "";

    public Type? Request { get; private set; }

    public string RequestMedia { get; private set; } = "application/json";

    /// <summary>Every member of the request's record is optional.</summary>
    public bool RequestIsPart { get; private set; }

    /// <summary>A missing body counts as an empty object, or as an empty text.</summary>
    public bool RequestMayBeEmpty { get; private set; }

    public List<(int Status, Type? Body, string Media)> Answers { get; } = [];

    public List<DoorParameter> Parameters { get; } = [];

    /// <summary>Not part of the document: the document itself and its page.</summary>
    public bool Hidden { get; private set; }

    /// <summary>
    /// Exempt from the project's rate limit: a stream is one request however long it lives, and health is asked often.
    /// </summary>
    public string Group => Path.Split('/', StringSplitOptions.RemoveEmptyEntries) is [var first, ..] ? first : "";

    /// <summary>How the door answers a worker whose attempt has just lost its run.</summary>
    public LateWorker Late { get; private set; }

    /// <summary>Workers report here. A late report is told the outcome of its run.</summary>
    public Door ForReports()
    {
        Late = LateWorker.Told;
        return this;
    }

    /// <summary>Workers wait here for what may end their run. They are still told the end.</summary>
    public Door TellsTheEnd()
    {
        Late = LateWorker.ToldTheEnd;
        return this;
    }

    /// <summary>
    /// The name in the audit of a change made through it; null when it changes neither access nor the destination of
    /// data and is no operator's act.
    /// </summary>
    public string? AuditedAs { get; private set; }

    /// <summary>Every change through it writes an audit row before the answer.</summary>
    public Door Audits(string action)
    {
        AuditedAs = action;
        return this;
    }

    /// <summary>
    /// The class of doors that a relay may pass requests to (<see cref="RelayClass"/>); null: a relayed request does
    /// not find this door.
    /// </summary>
    public string? RelayedAs { get; private set; }

    /// <summary>A relay may pass requests to it.</summary>
    public Door Relayed(string relayClass)
    {
        RelayedAs = relayClass;
        return this;
    }

    public Door WithSummary(string summary)
    {
        Summary = summary;
        return this;
    }

    public Door Accepts<T>(string media = "application/json")
    {
        Request = typeof(T);
        RequestMedia = media;
        return this;
    }

    /// <summary>Accepts a change: every member of the body is optional.</summary>
    public Door TakesPartOf<T>()
    {
        RequestIsPart = true;
        return Accepts<T>();
    }

    /// <summary>Accepts a body, and also none.</summary>
    public Door MayTake<T>(string media = "application/json")
    {
        RequestMayBeEmpty = true;
        return Accepts<T>(media);
    }

    /// <summary>Documents a body for a status. Called twice for one status, it means one of several bodies.</summary>
    public Door Produces<T>(int status = 200, string media = "application/json")
    {
        Answers.Add((status, typeof(T), media));
        return this;
    }

    /// <summary>Documents statuses below 400 without a body, and the refusals of the error format.</summary>
    public Door Produces(params ReadOnlySpan<int> statuses)
    {
        foreach (var status in statuses)
            Answers.Add((status, null, Family.ContentType.Split(';')[0]));
        return this;
    }

    public Door Query(string name, string description) =>
        With(name, "query", description, new() { ["type"] = "string" });

    /// <summary>A whole number in the query.</summary>
    public Door Query(string name, string description, long min, long max, long? standard = null)
    {
        var schema = new JsonObject { ["type"] = "integer", ["minimum"] = min };
        if (max < long.MaxValue)
            schema["maximum"] = max;
        if (standard is not null)
            schema["default"] = standard;
        return With(name, "query", description, schema);
    }

    /// <summary>A query parameter with one of some words.</summary>
    public Door QueryWord(string name, string description, params ReadOnlySpan<string> all) =>
        With(name, "query", description, SchemaOf(all));

    /// <summary>A query parameter with a list, separated by commas: of some words, or of any.</summary>
    public Door QueryList(string name, string description, params ReadOnlySpan<string> all) =>
        With(
            name,
            "query",
            description,
            new()
            {
                ["type"] = "array",
                ["items"] = SchemaOf(all),
                ["maxItems"] = 100,
            }
        );

    /// <summary>The query of a list that is read page by page.</summary>
    public Door Paged(int standard = 50, int max = 200) =>
        Query("limit", "How many at most.", 1, max, standard)
            .Query("cursor", "Where the page begins: nextCursor of the page before.");

    public Door Header(string name, string description) =>
        With(name, "header", description, new() { ["type"] = "string" });

    /// <summary>The answer of an identity provider comes to it; its protocol puts a code into the query.</summary>
    public bool IsForCode { get; private set; }

    public Door TakesCode()
    {
        IsForCode = true;
        return this;
    }

    public Door Hide()
    {
        Hidden = true;
        return this;
    }

    /// <summary>Returns the row of the golden table.</summary>
    public override string ToString() =>
        $"{Method, -6} {Path, -78} {NamesOf(Credentials), -32} {Authorization.Description}"
        + (RelayedAs is null ? "" : $" [relayed: {RelayedAs}]");

    public static string NamesOf(Credentials opens) => opens.ToString().Replace(", ", "|", StringComparison.Ordinal);

    /// <summary>
    /// Whether only the handler can verify the credential: a signature by a secret that the path names, or a token that
    /// depends on the headers.
    /// </summary>
    private static bool IsVerifiedByHandler(Credentials opens) =>
        (opens & Credentials.Signature) != 0
        || (opens & ~Credentials.CallbackSignature) == Credentials.CallbackToken
        || opens is Credentials.Link or Credentials.Plane or Credentials.Code or Credentials.Receipt;

    /// <summary>Throws when the handler's kind of caller does not fit the declared credential.</summary>
    public void CheckHandlerFits()
    {
        var open = Handler is OpenHandler;
        if (!open && Handler is not ProjectHandler)
            throw new InvalidOperationException($"{Method} {Path}: a handler is an OpenHandler or a ProjectHandler.");
        if (Credentials == 0)
            throw new InvalidOperationException($"{Method} {Path} names no credential.");
        var verifies = IsVerifiedByHandler(Credentials);
        if (open != (Credentials == Credentials.Anyone || verifies))
            throw new InvalidOperationException(
                $"{Method} {Path} opens to {Credentials}, but its handler {Handler.GetMethodInfo().Name} takes "
                    + $"{(open ? "no caller" : "a project's caller")}."
            );
        if ((!open || verifies) && Authorization == Authorization.None)
            throw new InvalidOperationException($"{Method} {Path} opens to {Credentials}, but says nothing of scopes.");
    }

    private static JsonObject SchemaOf(ReadOnlySpan<string> all)
    {
        var schema = new JsonObject { ["type"] = "string" };
        if (all.Length > 0)
            schema["enum"] = new JsonArray([.. all.ToArray().Select(w => (JsonNode)w)]);
        return schema;
    }

    private Door With(string name, string place, string description, JsonObject schema)
    {
        Parameters.Add(new DoorParameter(name, place, description, schema));
        return this;
    }
}

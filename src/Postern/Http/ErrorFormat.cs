using System.Text.Json;

namespace Postern.Http;

/// <summary>
/// How one family of routes words its errors. Each contract's bodies are exact, so each family has one writer of them.
/// </summary>
internal abstract class ErrorFormat
{
    public virtual string ContentType => "application/json; charset=utf-8";

    /// <summary>The record of its bodies, for the document.</summary>
    public abstract Type Shape { get; }

    /// <summary>
    /// The family that was set for the request, whose route stands for many or is none; else the family of the matched
    /// route; problem details where no route matched.
    /// </summary>
    public static ErrorFormat Of(HttpContext http) =>
        http.Features.Get<ErrorFormat>()
        ?? http.GetEndpoint()?.Metadata.GetMetadata<ErrorFormat>()
        ?? ProblemFormat.Instance;

    /// <summary>Where its clients ask, if they are answered in its words even where no route is.</summary>
    public virtual IReadOnlyList<string> Prefixes => [];

    /// <summary>
    /// Sets for a request that has no route here the family whose clients ask under its path, if one does.
    /// </summary>
    public static void SetByPath(HttpContext http, PathString path, params ReadOnlySpan<ErrorFormat> families)
    {
        foreach (var family in families)
            if (family.Prefixes.Any(prefix => path.StartsWithSegments(prefix, StringComparison.Ordinal)))
                http.Features.Set(family);
    }

    public abstract void WriteBody(Utf8JsonWriter json, Refusal refusal, HttpContext http);

    /// <summary>What a missing or unfit credential is told.</summary>
    public virtual string Unauthorized(UnfitCredential why) => "Unauthorized";

    /// <summary>What a caller without the scope is told.</summary>
    public abstract Refusal Forbidden(string requiredScope);

    /// <summary>
    /// Answers a refusal in a form of its own, whose status and headers are set; false: its body is written as JSON.
    /// </summary>
    public virtual ValueTask<bool> TryAnswerAsync(Refusal refusal, HttpContext http) => new(false);

    /// <summary>Headers that every answer of the family carries.</summary>
    public virtual void Prepare(HttpContext http) { }

    /// <summary>
    /// Whether a code stands in the answers of families that have none otherwise: a client must be able to tell that it
    /// is its credential that is sent in a wrong way.
    /// </summary>
    protected static bool IsOfEveryFamily(string code) => code is "credential_in_url" or "ambiguous_credentials";

    protected static void WriteExtra(Utf8JsonWriter json, Refusal refusal)
    {
        foreach (var (name, value) in refusal.Extra)
        {
            json.WritePropertyName(name);
            switch (value)
            {
                case null:
                    json.WriteNullValue();
                    break;
                case string text:
                    json.WriteStringValue(text);
                    break;
                case long number:
                    json.WriteNumberValue(number);
                    break;
                case int number:
                    json.WriteNumberValue(number);
                    break;
                case bool flag:
                    json.WriteBooleanValue(flag);
                    break;
                case IEnumerable<string> texts:
                    json.WriteStartArray();
                    foreach (var text in texts)
                        json.WriteStringValue(text);
                    json.WriteEndArray();
                    break;
                case Action<Utf8JsonWriter> write:
                    write(json);
                    break;
                default:
                    throw new NotSupportedException(
                        "A refusal carries text, numbers, flags, lists of text and what writes itself."
                    );
            }
        }
    }
}

using System.Text.Json;

namespace Postern.Http;

/// <summary>
/// The form of errors for a family of routes. Each contract fixes its bodies exactly, so each family has one class that
/// writes them.
/// </summary>
internal abstract class ErrorFormat
{
    public virtual string ContentType => "application/json; charset=utf-8";

    /// <summary>The record of its bodies, for the document.</summary>
    public abstract Type Shape { get; }

    /// <summary>
    /// Returns the family that was set for the request, when its route stands for several families or for none; else
    /// the family of the matched route; without a route, problem details.
    /// </summary>
    public static ErrorFormat Of(HttpContext http) =>
        http.Features.Get<ErrorFormat>()
        ?? http.GetEndpoint()?.Metadata.GetMetadata<ErrorFormat>()
        ?? ProblemFormat.Instance;

    /// <summary>The paths of its clients, when they are answered in its form even without a route.</summary>
    public virtual IReadOnlyList<string> Prefixes => [];

    /// <summary>Sets the family for a request without a route, by its path, if there is one.</summary>
    public static void SetByPath(HttpContext http, PathString path, params ReadOnlySpan<ErrorFormat> families)
    {
        foreach (var family in families)
            if (family.Prefixes.Any(prefix => path.StartsWithSegments(prefix, StringComparison.Ordinal)))
                http.Features.Set(family);
    }

    public abstract void WriteBody(Utf8JsonWriter json, Refusal refusal, HttpContext http);

    /// <summary>The refusal for a missing or unfit credential.</summary>
    public virtual string Unauthorized(UnfitCredential why) => "Unauthorized";

    /// <summary>The refusal for a caller without the scope.</summary>
    public abstract Refusal Forbidden(string requiredScope);

    /// <summary>
    /// Answers a refusal in its own way, with status and headers already set. Returns false when the body is to be
    /// written as JSON.
    /// </summary>
    public virtual ValueTask<bool> TryAnswerAsync(Refusal refusal, HttpContext http) => new(false);

    /// <summary>Headers that every answer of the family has.</summary>
    public virtual void Prepare(HttpContext http) { }

    /// <summary>
    /// Whether a code is included by families that otherwise have none: a client must be able to recognise that its
    /// credential was sent in a wrong way.
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

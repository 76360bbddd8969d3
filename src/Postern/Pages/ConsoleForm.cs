using System.Collections.Frozen;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using Postern.Access;
using Postern.Http;
using Postern.Settings;

namespace Postern.Pages;

/// <summary>
/// A form that a page sent: each field once, as text. Every form has <c>_csrf</c>, which only a page of the same
/// session knows, and <c>_once</c>, so that it has one effect. A request from another site's page is refused before its
/// body is read.
/// </summary>
internal sealed class ConsoleForm
{
    public const string Csrf = "_csrf";
    public const string Once = "_once";
    public const int MaxBytes = 64 * 1024;
    public const int PlaygroundBytes = 256 * 1024;
    private const int MaxFields = 200;
    private const string Media = "application/x-www-form-urlencoded";
    private readonly FrozenDictionary<string, string> _values;

    private ConsoleForm(Dictionary<string, string> values) =>
        _values = values.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The fields that a person filled in, by name, without the form's own.</summary>
    public IEnumerable<KeyValuePair<string, string>> Typed =>
        _values.Where(v => !v.Key.StartsWith('_')).OrderBy(v => v.Key, StringComparer.Ordinal);

    /// <summary>The field's text with normal line ends; empty when it was not sent.</summary>
    public string this[string name] => _values.GetValueOrDefault(name, "");

    /// <summary>The field's text; null when it is missing or empty.</summary>
    public string? Text(string name) => this[name] is { Length: > 0 } text ? text : null;

    public string OnceText => this[Once];

    /// <summary>Reads the form of a session's page, or returns why it is refused. Nothing has been done yet.</summary>
    /// <param name="fields">The names that it may have, beside its own; <c>name*</c> is all that begin so.</param>
    public static async ValueTask<Checked<ConsoleForm>> ReadAsync(
        HttpContext http,
        ConsoleAuthority session,
        IReadOnlyList<string> fields,
        int limit = MaxBytes
    )
    {
        if (IsForeign(http.Request))
            return Foreign;
        if (!(await ReadAsync(http, [Csrf, Once, .. fields], limit)).Try(out var form, out var refusal))
            return refusal;
        if (!FormTokens.Is(form[Csrf], session.FormToken))
            return Foreign;
        http.Features.Set(form);
        return
            form.OnceText.Length is >= 16 and <= 64
            && form.OnceText.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')
            ? form
            : Bad($"{Once} is missing: open the page again");
    }

    /// <summary>Reads the form of a page for anyone.</summary>
    public static ValueTask<Checked<ConsoleForm>> ReadOfAnyoneAsync(HttpContext http, IReadOnlyList<string> fields) =>
        IsForeign(http.Request)
            ? ValueTask.FromResult<Checked<ConsoleForm>>(Foreign)
            : ReadAsync(http, fields, MaxBytes);

    private static async ValueTask<Checked<ConsoleForm>> ReadAsync(
        HttpContext http,
        IReadOnlyList<string> fields,
        int limit
    )
    {
        if (!(await RequestBody.ReadAsync(http, limit)).Try(out var body, out var tooLarge))
            return tooLarge;
        using (body)
        {
            if (http.Request.ContentType?.StartsWith(Media, StringComparison.OrdinalIgnoreCase) != true)
                return Bad("The form must be sent as " + Media);
            if (!body.Text().Try(out var text, out _))
                return Bad("The form is empty, or not UTF-8 text");
            var sent = Encoding.UTF8.GetString(text.Span);
            return EncodedText.FirstUnfit(sent) is { } unfit
                ? Bad($"{unfit} holds what is no text")
                : Read(QueryHelpers.ParseQuery(sent), fields);
        }
    }

    private static Checked<ConsoleForm> Read(Dictionary<string, StringValues> sent, IReadOnlyList<string> fields)
    {
        if (sent.Count > MaxFields)
            return Bad($"The form has more than {MaxFields} fields");
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in sent)
        {
            if (!fields.Any(f => f == name || (f.EndsWith('*') && name.StartsWith(f[..^1], StringComparison.Ordinal))))
                return Bad($"{Wire.Cut(name, 64)} is no field of this form");
            if (value.Count != 1)
                return Bad($"{name} was sent more than once");
            var text = value.ToString();
            if (IsUnfit(text))
                return Bad($"{name} holds what is no text");
            values[name] = text.ReplaceLineEndings("\n");
        }
        return new ConsoleForm(values);
    }

    private static bool IsUnfit(string text) =>
        text.Contains('\0', StringComparison.Ordinal) || text.Contains('\uFFFD', StringComparison.Ordinal);

    /// <summary>The values with which a browser may say where a request comes from.</summary>
    private static bool IsForeign(HttpRequest request)
    {
        var (site, origin) = (request.Headers["Sec-Fetch-Site"], request.Headers.Origin);
        if (site.Count > 0 && (site.Count > 1 || site[0] is not ("same-origin" or "none")))
            return true;
        // Our pages send no referrer. The browser then sends the origin "null", and Sec-Fetch-Site decides.
        if (origin.Count == 0 || (site.Count == 1 && origin is ["null"]))
            return false;
        return origin.Count > 1
            || !Uri.TryCreate(origin[0], UriKind.Absolute, out var from)
            || !(
                string.Equals(from.Authority, HostOf(request), StringComparison.OrdinalIgnoreCase)
                || IsPublic(request, from)
            );
    }

    /// <summary>A proxy may use another host name than the browser does.</summary>
    private static bool IsPublic(HttpRequest request, Uri from) =>
        Uri.TryCreate(
            request.HttpContext.RequestServices.GetRequiredService<ServerAddress>().Url,
            UriKind.Absolute,
            out var known
        )
        && known.Scheme == from.Scheme
        && known.Authority == from.Authority;

    /// <summary>Without the default port of the scheme, as an origin is spelt.</summary>
    private static string HostOf(HttpRequest request) =>
        request.Host.Port is 80 or 443 ? request.Host.Host : request.Host.Value ?? "";

    private static Refusal Bad(string message) => Refusal.BadRequest(message + ".", "invalid_form");

    private static Refusal Foreign =>
        new(
            403,
            "This form is not from a page of your session: open the page again and send it from there.",
            "foreign_form"
        );
}

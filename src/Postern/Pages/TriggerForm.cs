using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// Turns the form of a trigger into the body of the API. An empty field clears the value, except for a secret, which
/// stays.
/// </summary>
internal static class TriggerForm
{
    /// <summary>The choice for a trigger without authentication.</summary>
    public const string NoScheme = "none";

    public static readonly string[] Name = ["kind", "owner", "id"];

    private static readonly string[] Texts =
    [
        "cronExpression",
        "cronTimezone",
        "sessionMode",
        "sessionKey",
        "deliveryIdHeader",
    ];

    private static readonly string[] Numbers = ["maxInFlight", "deadlineSeconds", "rateLimit"];

    private static readonly string[] Described =
    [
        "prefix",
        "algorithm",
        "encoding",
        "signed",
        "timestampHeader",
        "idHeader",
    ];

    /// <summary>The values of an existing trigger.</summary>
    public static readonly string[] All =
    [
        "promptTemplate",
        "filter",
        "methods",
        "scheme",
        "header",
        "secret",
        "toleranceSeconds",
        .. Texts,
        .. Numbers,
        .. Described,
    ];

    /// <summary>The fields that are chosen when a trigger is made and cannot change.</summary>
    public static readonly string[] OfNew = [.. Name, "agent", "activationMode"];

    /// <summary>Returns the body, or why the form cannot be read.</summary>
    /// <param name="form">The form.</param>
    /// <param name="isNew">It makes a trigger.</param>
    public static Checked<Fields> Read(ConsoleForm form, bool isNew)
    {
        var body = new JsonObject { ["promptTemplate"] = form["promptTemplate"] };
        if (isNew)
        {
            body["agent"] = form.Text("agent");
            body["activationMode"] = form.Text("activationMode");
        }
        foreach (var name in Texts)
            body[name] = form.Text(name);
        foreach (var name in Numbers)
            body[name] = Number(form, name);
        body["methods"] = form.Text("methods") is { } methods
            ? new JsonArray([.. Words(methods).Select(m => (JsonNode)m.ToUpperInvariant())])
            : null;
        body["webhookAuth"] = Auth(form);
        if (form.Text("filter") is { } filter)
        {
            try
            {
                body["filter"] = JsonNode.Parse(
                    filter,
                    documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = 32 }
                );
            }
            catch (JsonException)
            {
                return Refusal.BadRequest("filter is no JSON.", "invalid_form");
            }
        }
        else
            body["filter"] = null;
        if (isNew)
            foreach (var name in body.Where(m => m.Value is null).Select(m => m.Key).ToList())
                body.Remove(name);
        return new Fields(JsonSerializer.SerializeToElement(body, Wire.Json), isPart: !isNew);
    }

    /// <summary>Null: no authentication.</summary>
    private static JsonObject? Auth(ConsoleForm form)
    {
        var scheme = form["scheme"];
        if (scheme is "" or NoScheme)
            return null;
        var auth = new JsonObject { ["scheme"] = scheme == SignatureScheme.HeaderSecret ? null : scheme };
        if (form.Text("header") is { } header)
            auth["header"] = header;
        if (form.Text("secret") is { } secret)
            auth["secret"] = secret;
        if (scheme != SignatureScheme.Hmac)
            return auth;
        foreach (var name in Described)
            auth[name] = form.Text(name);
        auth["toleranceSeconds"] = Number(form, "toleranceSeconds");
        return auth;
    }

    /// <summary>A text that is no number is left as it is; the fault then names it.</summary>
    private static JsonNode? Number(ConsoleForm form, string name) =>
        form.Text(name) is not { } text ? null
        : long.TryParse(text.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
        : text;

    private static string[] Words(string text) =>
        text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}

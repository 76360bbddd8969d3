using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Approvals;

/// <summary>
/// Reads the message of an approval service, flat or in an envelope, so that only a listed word approves. The decision
/// or the question's id may stand in several places; all of them must agree, and a value that is not a text is no
/// decision. The type of an envelope decides nothing, except that <c>expired</c> expires.
/// </summary>
/// <param name="Id">The question.</param>
/// <param name="Decided">What was decided.</param>
internal sealed record ApprovalMessage(string Id, Decided Decided)
{
    private const int MaxFeedback = 65_536;
    private const int MaxShown = 100;

    public static Checked<ApprovalMessage> Read(RequestBody body)
    {
        if (!body.Parse().Try(out var json, out var unreadable))
            return unreadable.Status != 400
                ? unreadable
                : Invalid(
                    unreadable.Code == "empty_body" ? "the body is empty" : "the body is not strict JSON in UTF-8"
                );
        using (json)
            return json.RootElement.ValueKind == JsonValueKind.Object
                ? Read(new Fields(json.RootElement).Read<ApprovalDecided>())
                : Invalid("the body is not an object");
    }

    private static Checked<ApprovalMessage> Read(ApprovalDecided said)
    {
        var response = ResponseOf(said);
        if (WhyMisshapen(said, response) is { } misshapen)
            return Invalid(misshapen);
        // The response of the flat form is for the agent, unless it contains another decision.
        var answer = said.Data is not null ? response : null;
        if (!TryAgree([said.RequestId, Member(said.Data, "requestId")], out var id) || string.IsNullOrWhiteSpace(id))
            return new Refusal(400, "requestId is required");
        if (!DecisionOf(said, answer).Try(out var word, out var undecided))
            return undecided;
        if (said.Data is null && OtherDecisionOf(response, word) is { } other)
            return Invalid($"it says both {word} and {other}");
        if (!TryFeedback(said, answer, out var feedback))
            return Invalid($"feedback is not a text of at most {MaxFeedback} characters");
        if (!TryAgree([said.PayloadHash, Member(answer, "payload_hash")], out var hash))
            return Invalid("payload_hash is not one text");
        if (!TryKeep(response, out var given))
            return Invalid("response holds text that is not valid Unicode");
        return new ApprovalMessage(id, new Decided(word, "service", null, feedback, given, hash));
    }

    private static JsonElement? ResponseOf(ApprovalDecided said) =>
        said.Data is { } data ? Member(data, "response") : said.Response;

    /// <summary>Returns the original bytes; false when they cannot be stored.</summary>
    private static bool TryKeep(JsonElement? response, out byte[]? given)
    {
        given = response is { } whole ? Encoding.UTF8.GetBytes(whole.GetRawText()) : null;
        return response is null || JsonText.IsKeepable(response.Value);
    }

    /// <summary>Returns what is wrong with the envelope, or null.</summary>
    private static string? WhyMisshapen(ApprovalDecided said, JsonElement? response)
    {
        if (said.Data is { ValueKind: not JsonValueKind.Object })
            return "data is not an object";
        if (said.Data is not null && response is { ValueKind: not JsonValueKind.Object })
            return "data.response is not an object";
        return null;
    }

    private static Checked<string> DecisionOf(ApprovalDecided said, JsonElement? answer)
    {
        JsonElement?[] places =
        [
            said.Decision,
            Member(said.Data, "decision"),
            Member(answer, "decision"),
            Member(answer, "action"),
        ];
        string? decided = SaysExpired(said) ? Decision.Expired : null;
        foreach (var place in places.OfType<JsonElement>())
        {
            if (place.ValueKind != JsonValueKind.String || JsonText.Of(place) is not { } text)
                return Undecided(place.ValueKind == JsonValueKind.String ? "" : place.GetRawText());
            if (Decision.Of(text) is not { } word)
                return Undecided(text);
            if (decided is not null && decided != word)
                return Invalid($"it says both {decided} and {word}");
            decided = word;
        }
        return decided is null ? Undecided("") : decided;
    }

    private static bool SaysExpired(ApprovalDecided said) =>
        said is { Data: not null, Type: { ValueKind: JsonValueKind.String } type }
        && JsonText.Of(type) == Decision.Expired;

    /// <summary>Returns another decision inside the part for the agent, or null.</summary>
    private static string? OtherDecisionOf(JsonElement? response, string word) =>
        Member(response, "decision") is { ValueKind: JsonValueKind.String } inner
        && Decision.Of(JsonText.Of(inner) ?? "") is { } other
        && other != word
            ? other
            : null;

    /// <summary>Returns the person's words, from the innermost place.</summary>
    private static bool TryFeedback(ApprovalDecided said, JsonElement? answer, out string? text)
    {
        var place = Given(answer, "feedback") ?? Given(said.Data, "feedback") ?? said.Feedback;
        return TryText(place, out text) && !(text?.Length > MaxFeedback);
    }

    /// <summary>Returns one text, from wherever it stands; false when a value is no text, or when two differ.</summary>
    private static bool TryAgree(JsonElement?[] places, out string? text)
    {
        text = null;
        foreach (var place in places)
        {
            if (!TryText(place, out var said) || (said is not null && text is not null && said != text))
                return false;
            text = said ?? text;
        }
        return true;
    }

    private static bool TryText(JsonElement? value, out string? text)
    {
        text = null;
        if (value is not { } given || given.ValueKind == JsonValueKind.Null)
            return true;
        return given.ValueKind == JsonValueKind.String && (text = JsonText.Of(given)) is not null;
    }

    /// <summary>Returns a member; null counts as missing.</summary>
    private static JsonElement? Member(JsonElement? from, string name) =>
        Given(from, name) is { ValueKind: not JsonValueKind.Null } value ? value : null;

    private static JsonElement? Given(JsonElement? from, string name) =>
        from is { ValueKind: JsonValueKind.Object } given && given.TryGetProperty(name, out var value) ? value : null;

    private static Refusal Undecided(string said) =>
        new(
            400,
            $"invalid decision '{(said.Length <= MaxShown ? said : Wire.Cut(said, MaxShown) + "…")}'; must be "
                + "approved, rejected, request_changes, or expired"
        );

    private static Refusal Invalid(string why) => new(400, "invalid payload: " + why);
}

using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Approvals;

/// <summary>
/// What an approval service sends, flat or in an envelope, read so that nothing but a listed word approves: wherever a
/// decision or the question's id may stand, all that is said must say the same, and what is no text is no decision. The
/// type of an envelope decides nothing, except that <c>expired</c> expires.
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
        {
            var root = json.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return Invalid("the body is not an object");
            var data = Member(root, "data");
            if (data is { ValueKind: not (JsonValueKind.Object or JsonValueKind.Null) })
                return Invalid("data is not an object");
            var envelope = data is { ValueKind: JsonValueKind.Object };
            var response = Member(envelope ? data!.Value : root, "response");
            if (envelope && response is { ValueKind: not (JsonValueKind.Object or JsonValueKind.Null) })
                return Invalid("data.response is not an object");
            var answer = envelope && response is { ValueKind: JsonValueKind.Object } ? response : null;

            if (
                !TryAgree([Member(root, "requestId"), envelope ? Member(data!.Value, "requestId") : null], out var id)
                || string.IsNullOrWhiteSpace(id)
            )
                return new Refusal(400, "requestId is required");
            if (!DecisionOf(root, envelope ? data : null, answer).Try(out var word, out var wrong))
                return wrong;
            // The flat form's response is the agent's business, unless it decides otherwise.
            if (
                !envelope
                && response is { ValueKind: JsonValueKind.Object } own
                && Member(own, "decision") is { ValueKind: JsonValueKind.String } inner
                && Decision.Of(Fields.TextOf(inner) ?? "") is { } other
                && other != word
            )
                return Invalid($"it says both {word} and {other}");
            var feedback =
                (answer is null ? null : Member(answer.Value, "feedback"))
                ?? (envelope ? Member(data!.Value, "feedback") : null)
                ?? Member(root, "feedback");
            if (!TryText(feedback, out var words) || words?.Length > MaxFeedback)
                return Invalid($"feedback is not a text of at most {MaxFeedback} characters");
            if (
                !TryAgree(
                    [Member(root, "payload_hash"), answer is null ? null : Member(answer.Value, "payload_hash")],
                    out var hash
                )
            )
                return Invalid("payload_hash is not one text");
            if (response is { } kept && !Fields.IsKeepable(kept))
                return Invalid("response holds text that is not valid Unicode");
            return new ApprovalMessage(
                id,
                new Decided(
                    word,
                    "service",
                    null,
                    words,
                    response is { ValueKind: not JsonValueKind.Null } given
                        ? Encoding.UTF8.GetBytes(given.GetRawText())
                        : null,
                    hash
                )
            );
        }
    }

    private static Checked<string> DecisionOf(JsonElement root, JsonElement? data, JsonElement? answer)
    {
        JsonElement?[] places =
        [
            Member(root, "decision"),
            data is null ? null : Member(data.Value, "decision"),
            answer is null ? null : Member(answer.Value, "decision"),
            answer is null ? null : Member(answer.Value, "action"),
        ];
        var expires =
            data is not null
            && Member(root, "type") is { ValueKind: JsonValueKind.String } type
            && Fields.TextOf(type) == Decision.Expired;
        string? decided = expires ? Decision.Expired : null;
        foreach (var place in places)
        {
            if (place is not { ValueKind: not JsonValueKind.Null } said)
                continue;
            if (said.ValueKind != JsonValueKind.String || Fields.TextOf(said) is not { } text)
                return Undecided(said.ValueKind == JsonValueKind.String ? "" : said.GetRawText());
            if (Decision.Of(text) is not { } word)
                return Undecided(text);
            if (decided is not null && decided != word)
                return Invalid($"it says both {decided} and {word}");
            decided = word;
        }
        return decided is null ? Undecided("") : decided;
    }

    /// <summary>One text, from wherever it stands; false when one is no text, or two differ.</summary>
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
        return given.ValueKind == JsonValueKind.String && (text = Fields.TextOf(given)) is not null;
    }

    private static JsonElement? Member(JsonElement from, string name) =>
        from.TryGetProperty(name, out var value) ? value : null;

    private static Refusal Undecided(string said) =>
        new(
            400,
            $"invalid decision '{(said.Length <= MaxShown ? said : Wire.Cut(said, MaxShown) + "…")}'; must be "
                + "approved, rejected, request_changes, or expired"
        );

    private static Refusal Invalid(string why) => new(400, "invalid payload: " + why);
}

using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Postern.Relay.Protocol;

namespace Postern.Support;

/// <summary>A person without a browser who has the link to a question that is sealed at a relay.</summary>
internal sealed class Person(RelayNode relay, PageLink link)
{
    public PageLink Link => link;

    public string At => $"/relay/v1/pages/{link.Plane}/{link.Page}";

    public Task<Answer> GetAsync() => relay.SendAsync(HttpMethod.Get, At);

    /// <summary>Returns the question when the relay has it.</summary>
    public async Task<ShownQuestion> QuestionAsync()
    {
        Answer page = null!;
        await WaitFor.TrueAsync(async () => (page = await GetAsync()).Status == 200, what: "the page is at the relay");
        Assert.False(page.Json.GetProperty("ended").GetBoolean());
        return Open<ShownQuestion>(PageSeal.Question, page.Json);
    }

    /// <summary>Returns how it ended, when the relay knows it.</summary>
    public async Task<ShownOutcome> EndAsync()
    {
        Answer page = null!;
        await WaitFor.TrueAsync(
            async () => (page = await GetAsync()) is { Status: 200 } && page.Json.GetProperty("ended").GetBoolean(),
            what: "the page has ended"
        );
        return Open<ShownOutcome>(PageSeal.Outcome, page.Json);
    }

    public T Open<T>(string kind, JsonElement from) =>
        TryOpen(kind, from) is { } plain
            ? JsonSerializer.Deserialize<T>(plain, ShownQuestion.Json)!
            : throw new InvalidOperationException("It does not open.");

    public byte[]? TryOpen(string kind, JsonElement from) =>
        PageSeal.TryOpen(
            link,
            kind,
            from.GetProperty("version").GetInt64().ToString(CultureInfo.InvariantCulture),
            Base64Url.DecodeFromChars(from.GetProperty("sealed").GetString())
        );

    /// <summary>The body of an answer with any content.</summary>
    public object Seal(object answer, string nonce) =>
        new
        {
            nonce,
            @sealed = Base64Url.EncodeToString(
                PageSeal.Seal(
                    link,
                    PageSeal.Answer,
                    nonce,
                    JsonSerializer.SerializeToUtf8Bytes(answer, ShownQuestion.Json)
                )
            ),
        };

    public static string NewNonce() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));

    public Task<Answer> SendAsync(object body, params (string, string)[] headers) =>
        relay.PostAsync(At + "/answers", body, headers);

    public Task<Answer> AnswerAsync(
        ShownQuestion question,
        string decision,
        string? comment = null,
        params (string, string)[] headers
    )
    {
        var nonce = NewNonce();
        return SendAsync(Seal(Said(question.PayloadHash, decision, nonce, comment), nonce), headers);
    }

    public static object Said(string? hash, string decision, string nonce, string? comment = null) =>
        new
        {
            decision,
            comment,
            payload_hash = hash,
            nonce,
        };

    /// <summary>Returns the outcome from an answer of the plane, or from its receipt.</summary>
    public ShownOutcome OutcomeOf(Answer answer)
    {
        var json = answer.Json.TryGetProperty("answer", out var inside)
            ? JsonDocument.Parse(inside.GetProperty("body").GetString()!).RootElement
            : answer.Json;
        return Open<ShownOutcome>(PageSeal.Outcome, json);
    }
}

using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Http;
using Postern.Relay.Protocol;

namespace Postern.Hosting;

/// <summary>
/// Opens a question at a relay by its link, and answers it. It does in a terminal what the page's script does.
/// </summary>
/// <param name="relay">The relay's address, ending with a slash.</param>
internal sealed class PeopleClient(PageLink link, Uri relay) : IDisposable
{
    private const int MaxAnswer = 2 * 1024 * 1024;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);
    private readonly HttpMessageInvoker _http = new(
        new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }
    );

    /// <summary>Returns the question, or how it ended: one of the two.</summary>
    /// <exception cref="SetupException">The link opens nothing.</exception>
    public async Task<(ShownQuestion? Question, ShownOutcome? Outcome)> OpenAsync(CancellationToken cancel)
    {
        var (status, body) = await SendAsync(HttpMethod.Get, $"pages/{link.Plane}/{link.Page}", null, cancel);
        if (status != 200)
            throw new SetupException(
                status == 404
                    ? "There is no such question at this relay: it ended some time ago, or the link is incomplete."
                    : $"The relay answered {status}: try again later."
            );
        var page = Read<KeptPage>(body, FrameHead.Json);
        return page is { Ended: true }
            ? (null, Open<ShownOutcome>(PageSeal.Outcome, page.Version, page.Sealed))
            : (Open<ShownQuestion>(PageSeal.Question, page.Version, page.Sealed), null);
    }

    /// <summary>Sends the answer and waits for the outcome, however long that takes.</summary>
    /// <param name="answer">What is said, without its nonce.</param>
    /// <param name="stored">Told once where the server that asks is away.</param>
    /// <param name="cancel">Whoever waits has gone: the answer stays.</param>
    public async Task<ShownOutcome> AnswerAsync(Func<string, object> answer, Action stored, CancellationToken cancel)
    {
        var nonce = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
        var json = JsonSerializer.SerializeToUtf8Bytes(answer(nonce), ShownQuestion.Json);
        var text = Base64Url.EncodeToString(PageSeal.Seal(link, PageSeal.Answer, nonce, json));
        var sent = JsonSerializer.SerializeToUtf8Bytes(new PageAnswer(nonce, text), FrameHead.Json);
        var path = $"pages/{link.Plane}/{link.Page}/answers";
        var (status, body) = await SendAsync(HttpMethod.Post, path, sent, cancel);
        if (status == 202)
        {
            stored();
            (status, body) = await FollowAsync(Read<Receipt>(body, FrameHead.Json).Token, cancel);
        }
        if (status is not (200 or 409 or 410) || !Has(body, "sealed"))
            return status == 410 && await OpenAsync(cancel) is { Outcome: { } ended }
                ? ended
                : throw new SetupException($"Your answer was not taken: {status} {Wire.Cut(Text(body), 300)}");
        var told = Read<SealedOutcome>(body, FrameHead.Json);
        var outcome = Open<ShownOutcome>(PageSeal.Outcome, told.Version, told.Sealed);
        return outcome.Nonce == nonce ? outcome : throw Altered();
    }

    public void Dispose() => _http.Dispose();

    private async Task<(int Status, byte[] Body)> FollowAsync(string token, CancellationToken cancel)
    {
        while (true)
        {
            var (status, body) = await SendAsync(HttpMethod.Get, $"receipts/{token}?wait=55", null, cancel);
            var told = status == 200 ? Read<Receipt>(body, FrameHead.Json) : null;
            if (status == 404 || told?.Status == "expired")
                throw new SetupException("The server that asks did not come back in time: your answer was not taken.");
            if (told?.Answer is { } answer)
                return (answer.Status, Encoding.UTF8.GetBytes(answer.Body));
            await Task.Delay(Pause, TimeProvider.System, cancel);
        }
    }

    private async Task<(int Status, byte[] Body)> SendAsync(
        HttpMethod method,
        string path,
        byte[]? body,
        CancellationToken cancel
    )
    {
        using var request = new HttpRequestMessage(method, new Uri(relay, "relay/v1/" + path));
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new("application/json");
        }
        try
        {
            using var answer = await _http.SendAsync(request, cancel);
            await using var stream = await answer.Content.ReadAsStreamAsync(cancel);
            using var bytes = new MemoryStream();
            var buffer = new byte[RelayLimits.Fragment];
            for (int read; (read = await stream.ReadAsync(buffer, cancel)) > 0; bytes.Write(buffer, 0, read))
                if (bytes.Length + read > MaxAnswer)
                    throw new SetupException("What answered is no relay: it says too much.");
            return ((int)answer.StatusCode, bytes.ToArray());
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException)
        {
            throw new SetupException($"{relay} was not reached: {fault.Message}");
        }
    }

    private T Open<T>(string kind, long version, string text)
        where T : class
    {
        var bound = version.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return
            Base64Url.IsValid(text) && PageSeal.TryOpen(link, kind, bound, Base64Url.DecodeFromChars(text)) is { } json
            ? Read<T>(json, ShownQuestion.Json)
            : throw Altered();
    }

    private static T Read<T>(byte[] json, JsonSerializerOptions how)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(json, how) ?? throw Altered();
        }
        catch (JsonException)
        {
            throw Altered();
        }
    }

    private static bool Has(byte[] body, string name) => Text(body).Contains($"\"{name}\"", StringComparison.Ordinal);

    private static string Text(byte[] body) => Approvals.Visible.Text(Encoding.UTF8.GetString(body));

    private static SetupException Altered() =>
        new(
            "What came does not open with this link: the link is wrong, or somebody has altered what the relay keeps. "
                + "Open it again, and ask whoever sent it."
        );

    private sealed record KeptPage(long Version, string Sealed, bool Ended = false);

    private sealed record Receipt(string Status, string? Envelope = null, ReceiptBody? Answer = null)
    {
        /// <summary>The path under which a stored answer is followed: the last part of a URL.</summary>
        [System.Text.Json.Serialization.JsonPropertyName("receipt")]
        public string? Url { get; init; }

        [System.Text.Json.Serialization.JsonIgnore]
        public string Token => Uri.EscapeDataString((Url ?? "").Split('/')[^1]);
    }

    private sealed record ReceiptBody(int Status, string Body);
}

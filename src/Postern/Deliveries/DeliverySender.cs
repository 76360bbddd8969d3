using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// Sends one delivery once, signed by Standard Webhooks 1.0 (https://www.standardwebhooks.com). <c>webhook-id</c> is
/// the same for all attempts, and the signature covers the exact bytes. One time limit covers all of it: name,
/// connection, response, body.
/// </summary>
internal sealed class DeliverySender(
    OutboundGuard outbound,
    PosternOptions options,
    Database database,
    TimeProvider clock
)
{
    /// <summary>The most bytes of a response that are read; then the connection is closed.</summary>
    private const int MaxResponse = 64 * 1024;
    private const int ShownBytes = 1024;
    private static readonly TimeSpan MaxRetryAfter = TimeSpan.FromHours(24);
    private static readonly ProductInfoHeaderValue Agent = new("Postern", ProductVersion.Text);

    public TimeSpan Timeout { get; } = TimeSpan.FromSeconds(options.Outbound.TimeoutSeconds);

    public async Task<Attempt> SendAsync(Delivery delivery, PreparedDelivery outgoing, CancellationToken stop)
    {
        var (at, began) = (database.Now, clock.GetTimestamp());
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(Timeout);
        try
        {
            if (await outbound.ValidateBeforeProxyAsync(outgoing.Url, limit.Token) is { } problem)
                return Failed(SendCategory.AddressRefused, "The address " + problem);
            using var request = Request(delivery, outgoing, at / 1_000_000);
            using var response = await outbound.Client.SendAsync(
                request,
                HttpCompletionOption.ResponseHeadersRead,
                limit.Token
            );
            var mostBytes = response.IsSuccessStatusCode ? Math.Max(MaxResponse, outgoing.MaxAnswer) : MaxResponse;
            var (body, whole) = await ReadAsync(response.Content, mostBytes, limit.Token);
            var answer =
                response.IsSuccessStatusCode && outgoing.MaxAnswer > 0 ? AnswerOf(response.Content, body, whole) : null;
            return new Attempt(
                at,
                Elapsed(),
                (int)response.StatusCode,
                response.IsSuccessStatusCode ? SendCategory.Delivered : SendCategory.Status,
                Shown(body),
                RetryAfter(response),
                response.Headers.TryGetValues("webhook-delivery", out var said) ? said.First() : null,
                answer
            );
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return Failed(SendCategory.Timeout, null);
        }
        catch (Exception fault)
            when (fault
                    is HttpRequestException
                        or IOException
                        or OutboundRefusedException
                        or UriFormatException
                        or InvalidOperationException
            )
        {
            var (category, message) = CategoryOf(fault);
            return Failed(category, message);
        }

        long Elapsed() => (long)clock.GetElapsedTime(began).TotalMilliseconds;

        Attempt Failed(string category, string? message) => new(at, Elapsed(), null, category, message);
    }

    private static (string Category, string? Message) CategoryOf(Exception fault) =>
        fault switch
        {
            OutboundRefusedException refused => (SendCategory.AddressRefused, refused.Message),
            { InnerException: OutboundRefusedException refused } => (SendCategory.AddressRefused, refused.Message),
            { InnerException: AuthenticationException } => (SendCategory.Tls, null),
            {
                InnerException: SocketException
                {
                    SocketErrorCode: SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain
                }
            } => (SendCategory.Dns, null),
            _ => (SendCategory.Connection, null),
        };

    /// <summary>Returns the value of <c>webhook-signature</c>: one <c>v1,…</c> for every secret.</summary>
    public static string Sign(IReadOnlyList<string> secrets, string id, long seconds, ReadOnlySpan<byte> body)
    {
        var head = Encoding.ASCII.GetBytes($"{id}.{seconds}.");
        var signatures = new string[secrets.Count];
        for (var i = 0; i < secrets.Count; i++)
        {
            using var hmac = IncrementalHash.CreateHMAC(
                HashAlgorithmName.SHA256,
                Convert.FromBase64String(secrets[i]["whsec_".Length..])
            );
            hmac.AppendData(head);
            hmac.AppendData(body);
            signatures[i] = "v1," + Convert.ToBase64String(hmac.GetHashAndReset());
        }
        return string.Join(' ', signatures);
    }

    private static HttpRequestMessage Request(Delivery delivery, PreparedDelivery outgoing, long seconds)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, outgoing.Url)
        {
            Content = new ReadOnlyMemoryContent(outgoing.Body),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        var signature = Sign(outgoing.Secrets, delivery.Id, seconds, outgoing.Body.Span);
        foreach (var (name, value) in HeadersOf(delivery.Id, seconds, signature, delivery.Attempts + 1))
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    /// <summary>Returns the headers of an attempt, except those of its content.</summary>
    /// <param name="id">The id of the delivery.</param>
    /// <param name="seconds">The time of the attempt, in seconds since 1970.</param>
    /// <param name="signature">The signatures with every live secret.</param>
    /// <param name="attempt">The number of the attempt, from 1.</param>
    public static IReadOnlyList<(string Name, string Value)> HeadersOf(
        string id,
        long seconds,
        string signature,
        long attempt
    ) =>
        [
            ("webhook-id", id),
            ("webhook-timestamp", seconds.ToString(CultureInfo.InvariantCulture)),
            ("webhook-signature", signature),
            ("webhook-attempt", attempt.ToString(CultureInfo.InvariantCulture)),
            ("User-Agent", Agent.ToString()),
        ];

    private static SendAnswer AnswerOf(HttpContent content, byte[] body, bool whole)
    {
        var type = content.Headers.TryGetValues("Content-Type", out var said) ? said.FirstOrDefault() : null;
        return new SendAnswer(body, whole, type, [.. content.Headers.ContentEncoding]);
    }

    /// <summary>
    /// Returns the bytes that were read, and whether they are all. The status is known already: a body that is slow,
    /// breaks off or does not end does not change it.
    /// </summary>
    private static async Task<(byte[] Body, bool Whole)> ReadAsync(
        HttpContent content,
        int most,
        CancellationToken cancel
    )
    {
        if (content.Headers.ContentLength == 0)
            return ([], true);
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(most + 1);
        var length = 0;
        try
        {
            await using var stream = await content.ReadAsStreamAsync(cancel);
            while (length <= most)
            {
                var read = await stream.ReadAsync(buffer.AsMemory(length, most + 1 - length), cancel);
                if (read == 0)
                    return (buffer[..length], true);
                length += read;
            }
            return (buffer[..most], false);
        }
        catch (Exception fault) when (fault is OperationCanceledException or IOException or HttpRequestException)
        {
            return (buffer[..length], false);
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>
    /// Returns the first KiB as text that every database can store; bytes that are no UTF-8 are marked.
    /// </summary>
    private static string? Shown(byte[] body) =>
        body.Length == 0
            ? null
            : Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, ShownBytes))).Replace('\0', ' ').Trim();

    /// <summary>
    /// Returns the pause that the receiver asked for, at most a day: seconds in any number of digits, or a date.
    /// </summary>
    private TimeSpan? RetryAfter(HttpResponseMessage response)
    {
        if (response.Headers.RetryAfter is { } asked)
            return Capped(asked.Delta ?? asked.Date - Wire.Instant(database.Now));
        // More seconds than the type of the header can hold.
        var text = response.Headers.TryGetValues("Retry-After", out var said) ? said.First().Trim() : "";
        return text.Length > 0 && text.All(char.IsAsciiDigit) ? MaxRetryAfter : null;

        static TimeSpan? Capped(TimeSpan? span) => span > MaxRetryAfter ? MaxRetryAfter : span;
    }
}

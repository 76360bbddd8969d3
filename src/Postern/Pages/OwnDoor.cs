using System.Text;
using Postern.Access;
using Postern.Http;
using Postern.Settings;

namespace Postern.Pages;

/// <summary>
/// Sends a test to one of this server's own public doors, over HTTP, as somebody outside would: without a credential,
/// by the address at which it listens.
/// </summary>
internal sealed class OwnDoor(ServerAddress address, TokenBuckets buckets) : IDisposable
{
    /// <summary>Tests of all kinds that a credential may send a minute.</summary>
    public const int PerMinute = 10;

    private const int MaxAnswer = 64 * 1024;
    private readonly HttpMessageInvoker _http = new(
        new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            // As senders write them.
            RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8,
            // It is this server's own address, whatever its certificate says that it is called.
            SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        }
    );

    /// <summary>Takes one of the tests that a credential has; the refusal when it has none left.</summary>
    public Refusal? Slower(ProjectCaller caller) =>
        buckets.Take($"test {caller.Project} {caller.Authority.Actor}", PerMinute, PerMinute / 60.0)
            is { Allowed: false } wait
            ? new Refusal(429, $"At most {PerMinute} tests a minute.", "rate_limited")
            {
                RetryAfterSeconds = Math.Max(1, (int)Math.Ceiling(wait.RetryAfter)),
            }
            : null;

    /// <summary>Posts a body; the answer's status and the beginning of its body, or why there is none.</summary>
    /// <param name="path">Of this server.</param>
    /// <param name="body">As it is sent.</param>
    /// <param name="type">Its content type.</param>
    /// <param name="headers">Beside that, in their order.</param>
    /// <param name="cancel">The request's on whose behalf it is sent.</param>
    public async Task<Checked<OwnAnswer>> PostAsync(
        string path,
        byte[] body,
        string type,
        IEnumerable<(string Name, string Value)> headers,
        CancellationToken cancel
    )
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, address.Own + path);
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
            foreach (var (name, value) in headers)
                if (!request.Headers.TryAddWithoutValidation(name, value))
                    request.Content.Headers.TryAddWithoutValidation(name, value);
            using var time = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            time.CancelAfter(TimeSpan.FromSeconds(15));
            using var answer = await _http.SendAsync(request, time.Token);
            var said = new byte[MaxAnswer];
            await using var stream = await answer.Content.ReadAsStreamAsync(time.Token);
            var read = await stream.ReadAtLeastAsync(said, said.Length, throwOnEndOfStream: false, time.Token);
            return new OwnAnswer((int)answer.StatusCode, said.AsMemory(0, read));
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or OperationCanceledException)
        {
            if (cancel.IsCancellationRequested)
                throw;
            return new Refusal(
                502,
                $"This server does not answer at {address.Own}, where it listens: {fault.Message}",
                "unreachable"
            );
        }
    }

    public void Dispose() => _http.Dispose();
}

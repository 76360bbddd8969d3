using System.Text;
using Postern.Access;
using Postern.Http;
using Postern.Settings;

namespace Postern.Pages;

/// <summary>
/// Sends a test to one of this server's own public doors, as an outside sender would: over HTTP, without a credential,
/// at the address on which the server listens.
/// </summary>
internal sealed class OwnDoor(ServerAddress address, TokenBuckets buckets) : IDisposable
{
    /// <summary>The most tests of all kinds that one credential may send in a minute.</summary>
    public const int PerMinute = 10;

    private const int MaxAnswer = 64 * 1024;
    private readonly HttpMessageInvoker _http = new(
        new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            // The spelling that senders use.
            RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8,
            // It is this server's own address, so the name in its certificate does not matter.
            SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        }
    );

    /// <summary>Takes one of the tests that a credential may send, or returns a refusal when none is left.</summary>
    public Refusal? Slower(ProjectCaller caller) =>
        buckets.Take($"test {caller.Project} {caller.Authority.Actor}", PerMinute, PerMinute / 60.0)
            is { Allowed: false } wait
            ? new Refusal(429, $"At most {PerMinute} tests a minute.", "rate_limited")
            {
                RetryAfterSeconds = Math.Max(1, (int)Math.Ceiling(wait.RetryAfter)),
            }
            : null;

    /// <summary>
    /// Posts a body. Returns the answer's status and the beginning of its body, or why there is no answer.
    /// </summary>
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

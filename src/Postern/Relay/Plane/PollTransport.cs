using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>
/// Carries frames by requests, where something in between refuses WebSockets. One request is held by the relay until it
/// has something to send. Each batch that this server sends is a request of its own.
/// </summary>
internal sealed class PollTransport(
    JoinedPlane plane,
    RelayHttp http,
    Func<string, string, byte[], PlaneAuthorization> prove,
    TimeProvider clock
) : IRelayTransport
{
    public const string PollPath = "/relay/v1/poll";
    public const string SendPath = "/relay/v1/send";
    private const string Media = "application/octet-stream";

    /// <summary>
    /// How often the plane asks again when a balancer has sent its request to another node than the one that has this
    /// connection.
    /// </summary>
    private const int MostAsked = 30;
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(100);
    private readonly Queue<ReadOnlyMemory<byte>> _arrived = new();
    private readonly SemaphoreSlim _sending = new(1);

    /// <summary>The nonce of the first request. The relay's answer to it begins with the first frame.</summary>
    private string? _nonce;
    private long _heardAt = clock.GetTimestamp();

    public string Name => "poll";

    public long HeardAt => Interlocked.Read(ref _heardAt);

    public bool Sent(string nonce) => nonce == _nonce;

    public async Task SendAsync(byte[] frame, CancellationToken cancel)
    {
        await _sending.WaitAsync(cancel);
        try
        {
            await PostAsync(SendPath, FrameBatch.Write([frame]), cancel);
        }
        finally
        {
            _sending.Release();
        }
    }

    public async Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancel)
    {
        while (true)
        {
            if (_arrived.TryDequeue(out var frame))
                return frame;
            var batch = await PostAsync(PollPath, [], cancel);
            foreach (
                var one in FrameBatch.TryRead(batch)
                    ?? throw new RelayRefusedException("poll", "what came is no batch of frames")
            )
                _arrived.Enqueue(one);
        }
    }

    public Task CloseAsync(int code, string why) => Task.CompletedTask;

    public ValueTask DisposeAsync()
    {
        _sending.Dispose();
        http.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Every part of a slow answer shows that the relay is alive.</summary>
    private void Heard() => Interlocked.Exchange(ref _heardAt, clock.GetTimestamp());

    private async Task<byte[]> PostAsync(string path, byte[] body, CancellationToken cancel)
    {
        for (var asked = 1; ; asked++)
        {
            if (await TryPostAsync(path, body, isLast: asked == MostAsked, cancel) is { } answer)
                return answer;
            // A random pause: two requests in step would miss their node again and again.
            await Task.Delay(LongestPause * Random.Shared.NextDouble(), clock, cancel);
        }
    }

    /// <summary>Returns null when another node of the relay has the connection.</summary>
    private async Task<byte[]?> TryPostAsync(string path, byte[] body, bool isLast, CancellationToken cancel)
    {
        var proof = prove("POST", path, body);
        if (path == PollPath)
            _nonce ??= proof.Nonce;
        var url = new Uri(new Uri(plane.Server), path.TrimStart('/'));
        var (status, answer) = await http.SendAsync(HttpMethod.Post, url, body, Media, proof.ToString(), cancel, Heard);
        Heard();
        return status switch
        {
            200 => answer,
            202 or 204 => [],
            401 => throw RelayHttp.Refused(plane, proof, answer),
            409 when !isLast && RelayHttp.CodeOf(answer) == RelayLimits.NotHere => null,
            _ => throw new RelayRefusedException("poll", $"the relay answered {status}"),
        };
    }
}

using Microsoft.AspNetCore.Http.Features;
using Postern.Access;
using Postern.Http;

namespace Postern.Live;

/// <summary>
/// One open event stream: its reader and its right, its last write, its end. Its loop sleeps in
/// <see cref="WaitAsync"/>. New frames, the heartbeat and its end wake it.
/// </summary>
internal sealed class LiveStream : IHeldRequest
{
    private readonly WakeSignal _signal = new();
    private readonly StreamRegistry _registry;
    private readonly HttpContext _http;
    private readonly TimeSpan _heartbeat;
    private readonly CancellationTokenRegistration _gone;
    private readonly IDisposable? _following;
    private long _wroteAt;
    private string? _end;
    private long _endedAt;

    public LiveStream(
        StreamRegistry registry,
        HttpContext http,
        ProjectCaller caller,
        RequiredScope need,
        TimeSpan heartbeat,
        TimeSpan? timeout
    )
    {
        registry.Enter(caller);
        _registry = registry;
        _http = http;
        _heartbeat = heartbeat;
        Caller = caller;
        RequiredScope = need;
        _wroteAt = registry.Clock.GetTimestamp();
        TimesOutAt = timeout is { } span
            ? _wroteAt + (long)(span.TotalSeconds * registry.Clock.TimestampFrequency)
            : long.MaxValue;
        _gone = http.RequestAborted.Register(static state => ((LiveStream)state!).Wake(), this);
        _following = caller.Authority.Follow();
        registry.Add(this);
    }

    public ProjectCaller Caller { get; }

    /// <summary>The right to what the stream reads; losing it ends the stream.</summary>
    public RequiredScope RequiredScope { get; set; }

    public long TimesOutAt { get; }

    /// <summary>The loop has something to do later, so it is woken at each check.</summary>
    public bool IsLookedAt { get; set; }

    public bool TimedOut => _registry.Clock.GetTimestamp() >= TimesOutAt;

    public bool ClientGone => _http.RequestAborted.IsCancellationRequested;

    public bool HeartbeatDue => _registry.Clock.GetElapsedTime(_wroteAt) >= _heartbeat;

    /// <summary>Returns why it must end, or null. Called before every frame.</summary>
    public string? WhyEnded => Volatile.Read(ref _end) ?? Caller.WhyStopped(RequiredScope);

    public ValueTask WaitAsync() => _signal.WaitAsync();

    public void Wake() => _signal.Set();

    public void End(string reason)
    {
        Interlocked.CompareExchange(ref _end, reason, null);
        Wake();
    }

    /// <summary>Writes and flushes. Returns false when the client has gone.</summary>
    public async ValueTask<bool> WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            await AnswerBody.WriteAsync(_http, bytes);
            _wroteAt = _registry.Clock.GetTimestamp();
            return !_http.RequestAborted.IsCancellationRequested;
        }
        catch (Exception fault) when (fault is OperationCanceledException or IOException)
        {
            return false;
        }
    }

    /// <summary>Called regularly by the registry: wakes the loop when something is due.</summary>
    public void Look()
    {
        if (WhyEnded is not null)
        {
            // A reader that takes nothing cannot be told; after a second its connection is cut.
            if (_endedAt == 0)
                _endedAt = _registry.Clock.GetTimestamp();
            else if (_registry.Clock.GetElapsedTime(_endedAt) > TimeSpan.FromSeconds(1))
                _http.Abort();
            Wake();
        }
        else if (HeartbeatDue || TimedOut || IsLookedAt)
            Wake();
    }

    public void Dispose()
    {
        _registry.Ended(_http, Caller, WhyEnded);
        _registry.Remove(this);
        _registry.Leave(Caller);
        _following?.Dispose();
        _gone.Dispose();
    }

    /// <summary>Sends the first headers of an event stream at once.</summary>
    public static async Task BeginAsync(HttpContext http)
    {
        ErrorFormat.Of(http).Prepare(http);
        var response = http.Response;
        response.StatusCode = 200;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache, no-transform";
        response.Headers["X-Accel-Buffering"] = "no";
        http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        // Forgets what opened the stream, neither the credential nor the parts of the path, because the stream may live
        // long.
        http.Request.Headers.Authorization = default;
        http.Request.RouteValues = [];
        await response.StartAsync(http.RequestAborted);
        await response.BodyWriter.FlushAsync(http.RequestAborted);
    }
}

using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Postern.Relay.Plane;
using Postern.Relay.Protocol;
using Postern.Storage;
using Postern.Support;

namespace Postern.Tests.Relay;

/// <summary>The loops of a server that has joined a relay continue after any fault.</summary>
public sealed class PlaneLoopTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>The relay revokes the plane while the server's database fails, and accepts it later.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_refusal_that_cannot_be_written_down_does_not_end_the_asking(Backend backend)
    {
        BreakableDatabase broken = null!;
        await using var relay = await TestRelay.StartAsync();
        await using var server = await TestServer.StartAsync(
            backend,
            o => (o.Relay.DangerousPlainHttp, o.Relay.Transport) = (true, "websocket"),
            wrap: inner => broken = new BreakableDatabase(inner)
        );
        await relay.JoinAsync(server);
        var connection = await relay.ConnectionAsync();
        var refused = new TaskCompletionSource();
        relay.Refuse = proven =>
        {
            broken.Fault = () => new StorageUnavailableException("a fault that a test asked for");
            refused.TrySetResult();
            return Results.Json(
                HandshakeRefusal.Make(relay.Key, relay.Relay, proven, HandshakeRefusal.Revoked, relay.Now),
                FrameHead.Json,
                statusCode: 401
            );
        };
        connection.Cut();
        await refused.Task.WaitAsync(Patience);
        await WaitFor.TrueAsync(
            () =>
                Task.FromResult(
                    broken.Refused > 0 && server.Log.Text.Contains("failed here. Next try in", StringComparison.Ordinal)
                ),
            Patience
        );
        relay.Refuse = _ => null;
        broken.Fault = null;
        await relay.ConnectionAsync();
    }

    /// <summary>Sending fails once, and the next poll sends the question.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_question_that_could_not_be_sent_is_sent_again(Backend backend)
    {
        await using var relay = await TestRelay.StartAsync();
        await using var server = await TestServer.StartAsync(
            backend,
            o => (o.Relay.DangerousPlainHttp, o.Relay.Transport) = (true, "websocket")
        );
        var joined = await relay.JoinAsync(server);
        await relay.ConnectionAsync();
        var asking = await Asking.PrepareAsync(server);
        await asking.WaitingAsync();
        var (tries, sent) = (0, new TaskCompletionSource<Frame>());
        var parts = server.App.Services.GetRequiredService<PlaneParts>();
        var sender = new PageSender(joined, parts, SendAsync, NullLogger.Instance);
        using var stop = new CancellationTokenSource();
        var running = sender.RunAsync(stop.Token);
        await WaitFor.TrueAsync(() => Task.FromResult(Volatile.Read(ref tries) > 0), Patience);
        await Task.WhenAny(sent.Task, running).WaitAsync(Patience);
        Assert.False(running.IsCompleted, "it goes on");
        Assert.IsType<PageHead>((await sent.Task).Head);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);

        Task SendAsync(Frame frame, CancellationToken cancel)
        {
            if (Interlocked.Increment(ref tries) == 1)
                throw new InvalidOperationException("a fault that a test asked for");
            sent.TrySetResult(frame);
            return Task.CompletedTask;
        }
    }

    /// <summary>A connection whose beats have ended would be dead to the relay, and look alive here.</summary>
    [Fact]
    public async Task A_beat_that_fails_ends_its_connection()
    {
        await using var relay = await TestRelay.StartAsync();
        await using var server = await TestServer.StartAsync(
            Backend.Sqlite,
            o => (o.Relay.DangerousPlainHttp, o.Relay.Transport) = (true, "websocket")
        );
        var joined = await relay.JoinAsync(server);
        var parts = server.App.Services.GetRequiredService<PlaneParts>();
        await using var transport = new NoMemory(server.Clock);
        var session = new Postern.Relay.Plane.PlaneSession(
            joined,
            transport,
            parts,
            new PlaneStanding(),
            new PlaneClock(server.Database)
        );
        var running = session.RunAsync(CancellationToken.None);
        await WaitFor.TrueAsync(
            () =>
            {
                server.Clock.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult(running.IsCompleted);
            },
            Patience
        );
        var lost = await Assert.ThrowsAsync<IOException>(() => running);
        Assert.Equal("a fault that a test asked for", lost.Message);
        Assert.Equal(1, transport.Tries);
    }

    /// <summary>The envelopes of one lane run one after the other; each fault is of one of them.</summary>
    [Fact]
    public async Task A_lane_goes_on_behind_an_envelope_that_cannot_be_answered()
    {
        await using var server = await TestServer.StartAsync();
        var lanes = server.App.Services.GetRequiredService<EnvelopeLanes>();
        var now = server.Database.Now;
        var answered = new TaskCompletionSource<int>();
        Exception[] faults = [new InvalidOperationException("on purpose"), new OutOfMemoryException("on purpose")];
        for (var seq = 1; seq <= 3; seq++)
        {
            var at = seq;
            var head = new EnvelopeHead("rly_1", "pln_1", $"env_{seq}", seq, "a", now / 1000, 0, "", "");
            var request = new RelayedRequest(
                "POST",
                "/inbound/user/u/none",
                "192.0.2.1",
                [],
                ReadOnlyMemory<byte>.Empty
            );
            Assert.True(
                lanes.Add(
                    new EnvelopeWork(head, request, now + 60_000_000)
                    {
                        Answered = answer =>
                        {
                            if (at <= faults.Length)
                                throw faults[at - 1];
                            answered.TrySetResult(answer.Status);
                            return Task.CompletedTask;
                        },
                    }
                )
            );
        }
        Assert.Equal(404, await answered.Task.WaitAsync(Patience));
        await WaitFor.TrueAsync(() => Task.FromResult(lanes.Count == 0), Patience);
    }

    /// <summary>The relay speaks, and nothing can be sent to it.</summary>
    private sealed class NoMemory(TimeProvider clock) : IRelayTransport
    {
        public int Tries { get; private set; }

        public string Name => "none";

        public long HeardAt => clock.GetTimestamp();

        public bool Sent(string nonce) => false;

        public Task SendAsync(byte[] frame, CancellationToken cancel)
        {
            Tries++;
            return Task.FromException(new OutOfMemoryException("a fault that a test asked for"));
        }

        public async Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancel)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, cancel);
            return null;
        }

        public Task CloseAsync(int code, string why) => Task.CompletedTask;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

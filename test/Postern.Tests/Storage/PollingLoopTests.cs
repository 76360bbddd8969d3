using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Postern.Storage;

namespace Postern.Tests.Storage;

/// <summary>A loop over due work: an item that fails, or takes long, does not delay the others.</summary>
public sealed class PollingLoopTests
{
    private readonly Timers _clock = new();

    [Fact]
    public async Task Many_that_cannot_be_settled_keep_no_other_waiting()
    {
        var due = Enumerable.Range(0, 450).ToList();
        using var loop = new Loop(_clock, due) { Fails = n => n < 300 };
        await loop.BeginAsync();
        await loop.NextPollAsync();
        Assert.Equal(Enumerable.Range(300, 150), loop.Settled.Order());
        Assert.Equal(300, due.Count);
        // The next poll tries them again.
        loop.Fails = n => n < 10;
        await loop.NextPollAsync();
        Assert.Equal(10, due.Count);
        await loop.StopAsync(default);
    }

    [Fact]
    public async Task An_item_that_keeps_failing_is_tried_less_often_and_settled_when_possible()
    {
        var due = new List<int> { 7 };
        using var loop = new Loop(_clock, due) { Fails = _ => true };
        await loop.BeginAsync();
        for (var i = 0; i < 100; i++)
            await loop.NextPollAsync();
        // Three at once, then after 2, 4, 8, 16, 32 s, then every 64 s.
        Assert.InRange(loop.Tries, 8, 10);
        loop.Fails = _ => false;
        for (var i = 0; i < 64; i++)
            await loop.NextPollAsync();
        Assert.Empty(due);
        await loop.StopAsync(default);
    }

    [Fact]
    public async Task An_item_found_again_after_settling_does_not_keep_a_look_going()
    {
        var due = Enumerable.Range(0, 150).ToList();
        using var loop = new Loop(_clock, due) { Stays = true };
        await loop.BeginAsync();
        await loop.NextPollAsync();
        Assert.Equal(150, loop.Settled.Count);
        await loop.StopAsync(default);
    }

    [Fact]
    public async Task A_sweep_that_takes_long_holds_up_no_look()
    {
        var due = new List<int>();
        var sweeping = new TaskCompletionSource();
        using var loop = new Loop(_clock, due) { Sweep = sweeping.Task };
        await loop.BeginAsync();
        for (var i = 0; i < 5; i++)
            await loop.NextPollAsync();
        Assert.Equal(1, loop.Sweeps);
        lock (due)
            due.Add(1);
        await loop.NextPollAsync();
        Assert.Equal([1], loop.Settled);
        sweeping.SetResult();
        await loop.StopAsync(default);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_look_or_a_sweep_that_throws_is_followed_by_the_next(bool isSweep)
    {
        using var loop = new Loop(_clock, []) { ThrowsInSweep = isSweep, ThrowsInLook = !isSweep };
        await loop.BeginAsync();
        for (var i = 0; i < 130; i++)
            await loop.NextPollAsync();
        Assert.InRange(loop.Sweeps, 2, 4);
        Assert.Equal(130, loop.Looks);
        Assert.False(loop.ExecuteTask!.IsCompleted);
        await loop.StopAsync(default);
    }

    private sealed class Loop(Timers clock, List<int> due) : PollingLoop(clock, NullLogger<Loop>.Instance)
    {
        private readonly SemaphoreSlim _looked = new(0);

        public Func<int, bool> Fails { get; set; } = _ => false;

        public bool Stays { get; init; }

        public Task Sweep { get; init; } = Task.CompletedTask;

        public bool ThrowsInSweep { get; init; }

        public bool ThrowsInLook { get; init; }

        public List<int> Settled { get; } = [];

        public int Tries { get; private set; }

        public int Looks { get; private set; }

        public int Sweeps { get; private set; }

        /// <summary>Starts it, and waits until its first poll and its first sweep are scheduled.</summary>
        public async Task BeginAsync()
        {
            await StartAsync(default);
            for (var i = 0; i < 2; i++)
                Assert.True(await clock.Made.WaitAsync(TimeSpan.FromSeconds(10)));
        }

        /// <summary>Advances the clock by a second, and waits for the end of that poll.</summary>
        public async Task NextPollAsync()
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            Assert.True(await _looked.WaitAsync(TimeSpan.FromSeconds(10)));
        }

        protected override async Task PollAsync(CancellationToken stop)
        {
            Looks++;
            try
            {
                if (ThrowsInLook)
                    throw new InvalidOperationException("a look fails");
                await AllAsync(Find, n => $"{n}", Settle, stop);
            }
            finally
            {
                _looked.Release();
            }
        }

        protected override Task SweepAsync(CancellationToken stop)
        {
            Sweeps++;
            return ThrowsInSweep ? throw new InvalidOperationException("a sweep fails") : Sweep;
        }

        private ValueTask<List<int>> Find(int limit)
        {
            lock (due)
                return ValueTask.FromResult(due.Take(limit).ToList());
        }

        private Task<bool> Settle(int one)
        {
            lock (due)
            {
                Tries++;
                if (Fails(one))
                    throw new InvalidOperationException("it cannot be settled");
                Settled.Add(one);
                if (!Stays)
                    due.Remove(one);
                return Task.FromResult(true);
            }
        }
    }

    /// <summary>Announces each new timer: time that passes before it exists is lost.</summary>
    private sealed class Timers : FakeTimeProvider
    {
        public SemaphoreSlim Made { get; } = new(0);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            Made.Release();
            return timer;
        }
    }
}

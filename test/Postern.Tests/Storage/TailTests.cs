using Microsoft.Extensions.Time.Testing;
using Postern.Live;
using Postern.Support;

namespace Postern.Tests.Storage;

/// <summary>The live end of a log, woken at any moment.</summary>
public sealed class TailTests
{
    [Fact]
    public async Task A_poke_before_the_beginning_does_not_read_the_log_from_its_start()
    {
        const long end = 200_000;
        var reads = new List<long>();
        var (begin, read) = (new TaskCompletionSource<long>(), new SemaphoreSlim(0));
        var tail = new Tail(
            new LogSource("k", "t", () => new ValueTask<long>(begin.Task), Read),
            TimeProvider.System,
            fault => Assert.Fail(fault.ToString())
        );
        // A record is committed while the tail reads the end of the log.
        var starting = tail.StartAsync();
        for (var i = 0; i < 3; i++)
            tail.Poke();
        begin.SetResult(end);
        await starting;
        Assert.True(await read.WaitAsync(TimeSpan.FromSeconds(10)));
        tail.Poke();
        Assert.True(await read.WaitAsync(TimeSpan.FromSeconds(10)));
        lock (reads)
            Assert.All(reads, from => Assert.Equal(end, from));
        Assert.Equal(end, tail.Next);

        ValueTask<Batch> Read(long from)
        {
            lock (reads)
                reads.Add(from);
            read.Release();
            return new(new Batch([], null));
        }
    }

    [Fact]
    public async Task A_log_that_could_not_be_read_is_read_again()
    {
        var (reads, reported, broken) = (0, 0, true);
        var clock = new FakeTimeProvider();
        var tail = new Tail(
            new LogSource("k", "t", () => new ValueTask<long>(0), Read),
            clock,
            _ => Interlocked.Increment(ref reported)
        );
        await tail.StartAsync();
        await UntilAsync(4);
        Volatile.Write(ref broken, false);
        await UntilAsync(Volatile.Read(ref reads) + 2);
        Assert.Equal(1, reported);
        // Once it could be read, the next fault is reported too.
        Volatile.Write(ref broken, true);
        await UntilAsync(Volatile.Read(ref reads) + 2);
        Assert.Equal(2, reported);

        Task UntilAsync(int wanted) =>
            WaitFor.TrueAsync(() =>
            {
                tail.Poke();
                clock.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult(Volatile.Read(ref reads) >= wanted);
            });

        ValueTask<Batch> Read(long from)
        {
            Interlocked.Increment(ref reads);
            return Volatile.Read(ref broken)
                ? ValueTask.FromException<Batch>(new OutOfMemoryException("a fault that a test asked for"))
                : new(new Batch([], null));
        }
    }

    [Fact]
    public async Task A_poke_does_not_read_on_its_own_thread()
    {
        var reader = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var pokes = new ThreadLocal<bool>();
        var tail = new Tail(
            new LogSource("k", "t", () => new ValueTask<long>(0), Read),
            TimeProvider.System,
            fault => Assert.Fail(fault.ToString())
        );
        await tail.StartAsync();
        await reader.Task.WaitAsync(TimeSpan.FromSeconds(10));
        for (var i = 0; i < 100; i++)
        {
            reader = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            pokes.Value = true;
            tail.Poke();
            pokes.Value = false;
            await reader.Task.WaitAsync(TimeSpan.FromSeconds(10));
        }

        ValueTask<Batch> Read(long from)
        {
            // There is no await between a wake and here: a read on the waking thread would see the mark.
            if (pokes.Value)
                reader.TrySetException(new InvalidOperationException("read by who pokes"));
            else
                reader.TrySetResult(0);
            return new(new Batch([], null));
        }
    }
}

using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// The guarantees of the database on which the product relies. One set of facts, inherited by each implementation.
/// </summary>
public abstract class StorageContract : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-storage-").FullName;
    private Database _database = null!;

    internal abstract Task<Database> OpenAsync(string folder);

    public async ValueTask InitializeAsync() => _database = await OpenAsync(_folder);

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private Task<int> AddAsync(string id, long number = 0) =>
        _database.WriteAsync(async tx =>
            await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ($1, $1, $2)", id, number)
        );

    private ValueTask<long> CountAsync() =>
        _database.ReadAsync(tx => tx.FirstAsync("SELECT COUNT(*) FROM project", r => r.GetInt64(0)));

    [Fact]
    public async Task A_write_is_seen_by_the_next_read()
    {
        for (var i = 0; i < 50; i++)
        {
            await AddAsync("p" + i);
            Assert.Equal(i + 1, await CountAsync());
        }
    }

    [Fact]
    public async Task A_command_that_throws_spoils_only_itself()
    {
        var commands = Enumerable
            .Range(0, 64)
            .Select(i =>
                _database.WriteAsync(async tx =>
                {
                    await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ($1, $1, 0)", "p" + i);
                    return i % 3 == 0 ? throw new InvalidOperationException("on purpose") : i;
                })
            )
            .ToList();
        var outcomes = await Task.WhenAll(
            commands.Select(async c =>
            {
                try
                {
                    return await c;
                }
                catch (InvalidOperationException)
                {
                    return -1;
                }
            })
        );
        Assert.Equal(22, outcomes.Count(o => o == -1));
        Assert.Equal(42, await CountAsync());
    }

    [Fact]
    public async Task Concurrent_increments_lose_none()
    {
        await AddAsync("counter");
        await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(async _ =>
                {
                    for (var i = 0; i < 10; i++)
                        await _database.WriteAsync(async tx =>
                        {
                            var now = await tx.FirstAsync(
                                "SELECT created_at FROM project WHERE id = 'counter'" + tx.ForUpdate,
                                r => r.GetInt64(0)
                            );
                            return await tx.ExecuteAsync(
                                "UPDATE project SET created_at = $1 WHERE id = 'counter'",
                                now + 1
                            );
                        });
                })
        );
        Assert.Equal(
            640,
            await _database.ReadAsync(tx => tx.FirstAsync("SELECT created_at FROM project", r => r.GetInt64(0)))
        );
    }

    [Fact]
    public async Task One_of_many_inserts_with_one_key_wins_and_the_row_counts_say_which()
    {
        var counts = await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(i =>
                    _database.WriteAsync(async tx =>
                        await tx.ExecuteAsync(
                            "INSERT INTO project (id, name, created_at) VALUES ($1, 'one', 0) ON CONFLICT DO NOTHING",
                            "p" + i
                        )
                    )
                )
        );
        Assert.Equal(1, counts.Sum());
    }

    [Fact]
    public async Task Topics_are_announced_after_the_commit_and_never_for_what_was_rolled_back()
    {
        var heard = new List<long>();
        using var listening = _database.Changes.Listen(
            "topic",
            () =>
            {
                lock (heard)
                    heard.Add(CountAsync().AsTask().GetAwaiter().GetResult());
            }
        );
        await _database.WriteAsync(async tx =>
        {
            tx.Notify("topic");
            return await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ('a', 'a', 0)");
        });
        // Whenever it is heard, the row is there: at a commit, and whenever a node looks by itself.
        await WaitFor.TrueAsync(() => Task.FromResult(Heard().Contains(1)));
        await Assert.ThrowsAsync<InvalidOperationException>(() =>
            _database.WriteAsync<int>(async tx =>
            {
                await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ('b', 'b', 0)");
                tx.Notify("topic");
                throw new InvalidOperationException("on purpose");
            })
        );
        Assert.DoesNotContain(2, Heard());

        long[] Heard()
        {
            lock (heard)
                return [.. heard];
        }
    }

    [Fact]
    public async Task A_listener_that_throws_touches_neither_the_commit_nor_another_listener()
    {
        var told = new SemaphoreSlim(0);
        using var before = _database.Changes.Mark("topic", () => throw new InvalidOperationException("on purpose"));
        using var first = _database.Changes.Listen("topic", () => throw new ObjectDisposedException("on purpose"));
        using var second = _database.Changes.Listen("topic", () => told.Release());
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(1, await TouchAsync("p" + i));
            Assert.True(await told.WaitAsync(TimeSpan.FromSeconds(10)));
        }
        Assert.Equal(20, await CountAsync());
    }

    [Fact]
    public async Task A_commit_is_answered_whatever_its_listeners_do()
    {
        using var go = new ManualResetEventSlim();
        using var stuck = _database.Changes.Listen("topic", () => go.Wait(TimeSpan.FromSeconds(30)));
        try
        {
            for (var i = 0; i < 3; i++)
                await TouchAsync("p" + i).WaitAsync(TimeSpan.FromSeconds(10));
        }
        finally
        {
            go.Set();
        }
        Assert.Equal(3, await CountAsync());
    }

    [Fact]
    public async Task An_early_listener_knows_of_a_commit_before_its_answer()
    {
        var marks = 0;
        using var marking = _database.Changes.Mark("topic", () => Interlocked.Increment(ref marks));
        for (var i = 0; i < 50; i++)
        {
            await TouchAsync("p" + i);
            Assert.True(Volatile.Read(ref marks) > i);
        }
    }

    [Fact]
    public async Task A_listener_may_leave_while_it_is_told()
    {
        // What a reader that waits does: the first thing it hears is the last, and its hint is gone when the next is
        // told.
        for (var round = 0; round < 20; round++)
        {
            var heard = Enumerable
                .Range(0, 20)
                .Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))
                .ToArray();
            var listening = new IDisposable?[heard.Length];
            for (var i = 0; i < heard.Length; i++)
            {
                var (place, hint) = (i, new AsyncSignal());
                listening[i] = _database.Changes.Listen(
                    "topic",
                    () =>
                    {
                        hint.Set();
                        Volatile.Read(ref listening[place])?.Dispose();
                        heard[place].TrySetResult();
                    }
                );
            }
            var ends = await Task.WhenAll(Enumerable.Range(0, 30).Select(i => TouchAsync($"{round}-{i}")));
            Assert.All(ends, rows => Assert.Equal(1, rows));
            await Task.WhenAll(heard.Select(h => h.Task)).WaitAsync(TimeSpan.FromSeconds(10));
        }
    }

    [Fact]
    public async Task Work_that_is_too_long_is_done_outside_and_the_command_runs_again()
    {
        var (done, disposed, runs) = (0, 0, 0);
        Task<int> NeedsAsync(string id, bool fails) =>
            _database.WriteAsync(async tx =>
            {
                Interlocked.Increment(ref runs);
                var rows = await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ($1, $1, 0)", id);
                if (Volatile.Read(ref done) < 2)
                    throw new OutsideFirstException(WorkAsync);
                return fails ? throw new InvalidOperationException("on purpose") : rows;
            });
        var beside = Enumerable.Range(0, 20).Select(i => AddAsync("p" + i)).ToList();
        Assert.Equal(1, await NeedsAsync("long", fails: false));
        await Assert.ThrowsAsync<InvalidOperationException>(() => NeedsAsync("broken", fails: true));
        Assert.All(await Task.WhenAll(beside), rows => Assert.Equal(1, rows));
        Assert.Equal(21, await CountAsync());
        Assert.True(runs >= 4);
        // The results are released once, when the command ends.
        await WaitFor.TrueAsync(() => Task.FromResult(Volatile.Read(ref disposed) == 2));

        // A failure of that work is a failure of the command.
        var refused = _database.WriteAsync<int>(_ =>
            throw new OutsideFirstException(() => throw new TimeoutException("on purpose"))
        );
        await Assert.ThrowsAnyAsync<Exception>(() => refused);
        Assert.Equal(1, await AddAsync("after"));

        async Task<IAsyncDisposable> WorkAsync()
        {
            // Outside of any transaction, so it may read and write.
            await AddAsync("outside" + Interlocked.Increment(ref done));
            await _database.WriteAsync(tx => tx.ExecuteAsync("DELETE FROM project WHERE id LIKE 'outside%'"));
            return new Disposing(() => Interlocked.Increment(ref disposed));
        }
    }

    private sealed class Disposing(Action disposed) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            disposed();
            return default;
        }
    }

    [Fact]
    public async Task A_command_that_takes_too_much_memory_fails_alone()
    {
        for (var i = 0; i < 3; i++)
        {
            var broken = _database.WriteAsync(_ => new ValueTask<string>(new string('x', int.MaxValue)));
            var sound = AddAsync("p" + i);
            await Assert.ThrowsAsync<OutOfMemoryException>(() => broken);
            Assert.Equal(1, await sound);
        }
    }

    private Task<int> TouchAsync(string id) =>
        _database.WriteAsync(async tx =>
        {
            tx.Notify("topic");
            return await tx.ExecuteAsync("INSERT INTO project (id, name, created_at) VALUES ($1, $1, 0)", id);
        });

    [Fact]
    public async Task Text_numbers_bytes_and_nothing_come_back_as_they_went()
    {
        const string text = "ü ☂ 😀 '\"\\ \n\t";
        var bytes = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();
        await _database.WriteAsync(async tx =>
            await tx.ExecuteAsync(
                "INSERT INTO meta (name, number, bytes) VALUES ($1, $2, $3)",
                text,
                long.MaxValue,
                bytes
            )
        );
        await _database.WriteAsync(async tx =>
            await tx.ExecuteAsync("INSERT INTO meta (name, number, bytes) VALUES ($1, $2, $3)", "", long.MinValue, null)
        );
        var rows = await _database.ReadAsync(tx =>
            tx.ListAsync(
                "SELECT name, number, bytes FROM meta WHERE name IN ('', $1) ORDER BY number",
                r => (r.GetString(0), r.GetInt64(1), r.BytesOrNull(2)),
                text
            )
        );
        Assert.Equal(("", long.MinValue), (rows[0].Item1, rows[0].Item2));
        Assert.Null(rows[0].Item3);
        Assert.Equal((text, long.MaxValue), (rows[1].Item1, rows[1].Item2));
        Assert.Equal(bytes, rows[1].Item3);
    }

    [Fact]
    public async Task The_clock_is_the_databases_and_goes_forward()
    {
        var before = _database.Now;
        await AddAsync("p");
        Assert.InRange(_database.Now - before, 0, 60_000_000);
        Assert.InRange(
            Math.Abs(before - ((DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).Ticks / 10)),
            0,
            5_000_000
        );
    }

    [Fact]
    public async Task Its_schema_is_the_newest()
    {
        Assert.Equal(Migrations.Newest, await Migrations.VersionAsync(_database));
        Assert.Distinct(Migrations.All.Select(m => m.Number));
    }
}

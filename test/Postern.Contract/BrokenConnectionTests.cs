using System.Collections.Concurrent;
using Npgsql;
using Postern.Storage;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Connections that break at any moment of a command: whatever the driver throws, the caller learns that the database
/// failed.
/// </summary>
public sealed class BrokenConnectionTests
{
    [Fact]
    public async Task A_connection_that_breaks_in_a_command_is_never_anything_but_a_database_that_is_away()
    {
        var settings = new NpgsqlConnectionStringBuilder(PostgresServer.NewDatabase());
        await Migrations.ApplyToPostgresAsync(settings.ToString(), default);
        await using var proxy = await CuttingProxy.StartAsync(settings.Port);
        settings.Port = proxy.Port;
        await using var database = new PostgresDatabase(settings.ToString(), TimeProvider.System);
        var (faults, done) = (new ConcurrentQueue<Exception>(), 0);
        using var over = new CancellationTokenSource();
        var workers = Enumerable.Range(0, 16).Select(WorkAsync).ToList();
        for (var cut = 0; cut < 100; cut++)
        {
            var before = Volatile.Read(ref done);
            await WaitFor.TrueAsync(() => Task.FromResult(Volatile.Read(ref done) > before + 16));
            proxy.CutAll();
        }
        await over.CancelAsync();
        await Task.WhenAll(workers);
        Assert.True(faults.Count > 100, $"{faults.Count} commands met a break");
        var others = faults
            .Where(f => f is not StorageUnavailableException)
            .Select(f => f.ToString())
            .Distinct()
            .ToList();
        Assert.True(others.Count == 0, string.Join("\n", others));

        async Task WorkAsync(int worker)
        {
            for (var i = 0; !over.IsCancellationRequested; i++)
            {
                try
                {
                    var name = $"break-{worker}";
                    if (i % 3 == 0)
                        await database.ReadAsync(tx => tx.ListAsync("SELECT name FROM meta", r => r.GetString(0)));
                    else
                        await database.WriteAsync(async tx =>
                        {
                            await tx.ExecuteAsync(
                                "INSERT INTO meta (name, number) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
                                name,
                                1L
                            );
                            await tx.FirstAsync("SELECT number FROM meta WHERE name = $1", r => r.GetInt64(0), name);
                            return 0;
                        });
                    Interlocked.Increment(ref done);
                }
                catch (Exception fault)
                {
                    faults.Enqueue(fault);
                }
            }
        }
    }
}

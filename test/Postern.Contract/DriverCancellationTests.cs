using Postern.Storage;

namespace Postern.Contract;

/// <summary>A driver that throws where it is cancelled ends no process.</summary>
public sealed class DriverCancellationTests
{
    [Fact]
    public void What_the_driver_throws_stays_with_the_driver()
    {
        using var timer = new CancellationTokenSource();
        using var passing = new DriverCancellation(timer.Token);
        var isTold = false;
        using var driver = passing.Token.Register(() =>
        {
            isTold = true;
            throw new ObjectDisposedException("a connector");
        });
        // As a timer does it: what comes out here, out of a timer, nobody catches.
        timer.Cancel();
        Assert.True(isTold);
        Assert.True(passing.Token.IsCancellationRequested);
    }

    [Fact]
    public void What_was_cancelled_before_is_passed_on()
    {
        using var passing = new DriverCancellation(new CancellationToken(canceled: true));
        Assert.True(passing.Token.IsCancellationRequested);
        Assert.Null(DriverCancellation.Of(CancellationToken.None));
    }

    /// <summary>No timer's token reaches the driver by itself.</summary>
    [Fact]
    public async Task A_read_that_is_given_up_by_a_timer_ends()
    {
        var connection = Support.PostgresServer.NewDatabase();
        await using var database = new PostgresDatabase(connection, TimeProvider.System);
        using var timer = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await database.ReadAsync(tx => tx.ListAsync("SELECT 1 FROM pg_sleep(20)", _ => 1), timer.Token)
        );
    }
}

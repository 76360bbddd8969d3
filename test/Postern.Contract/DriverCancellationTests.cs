using Postern.Storage;

namespace Postern.Contract;

/// <summary>A driver that throws when it is cancelled does not end the process.</summary>
public sealed class DriverCancellationTests
{
    [Fact]
    public void An_exception_of_the_driver_does_not_escape()
    {
        using var timer = new CancellationTokenSource();
        using var passing = new DriverCancellation(timer.Token);
        var isTold = false;
        using var driver = passing.Token.Register(() =>
        {
            isTold = true;
            throw new ObjectDisposedException("a connector");
        });
        // A timer would do it like this; nobody catches an exception from a timer.
        timer.Cancel();
        Assert.True(isTold);
        Assert.True(passing.Token.IsCancellationRequested);
    }

    [Fact]
    public void An_earlier_cancellation_is_passed_on()
    {
        using var passing = new DriverCancellation(new CancellationToken(canceled: true));
        Assert.True(passing.Token.IsCancellationRequested);
        Assert.Null(DriverCancellation.Of(CancellationToken.None));
    }

    /// <summary>The token of a timer never reaches the driver directly.</summary>
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

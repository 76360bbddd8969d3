using System.Diagnostics;

namespace Postern.Support;

/// <summary>
/// Asks repeatedly until a condition holds, for what another process or loop does in its own time. It has a limit, and
/// says what it waited for.
/// </summary>
internal static class WaitFor
{
    public static async Task TrueAsync(
        Func<Task<bool>> holds,
        TimeSpan? patience = null,
        [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(holds))] string what = ""
    )
    {
        var watch = Stopwatch.StartNew();
        while (!await holds())
        {
            if (watch.Elapsed > (patience ?? TimeSpan.FromSeconds(15)))
                throw new TimeoutException("It never held: " + what);
            await Task.Delay(20);
        }
    }
}

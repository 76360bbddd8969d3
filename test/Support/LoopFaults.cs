namespace Postern.Support;

/// <summary>
/// A background loop logs its fault and goes on, so a test that looks elsewhere would not notice. So each server of the
/// tests is asked at its end.
/// </summary>
internal static class LoopFaults
{
    private static readonly string[] Words = ["failed in one poll and continues", "could not be settled; it is tried"];

    public static bool IsOne(string line) => Array.Exists(Words, w => line.Contains(w, StringComparison.Ordinal));

    /// <exception cref="InvalidOperationException">A loop failed.</exception>
    public static void None(string log)
    {
        if (IsOne(log))
            throw new InvalidOperationException("A loop of the server failed: " + log);
    }
}

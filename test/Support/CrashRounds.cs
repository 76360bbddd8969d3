namespace Postern.Support;

/// <summary>
/// How often a crash test kills: as often as it takes to look at each step, or as often as the variable <c>KILLS</c>
/// says.
/// </summary>
internal static class CrashRounds
{
    public static int Of(int standard) =>
        int.TryParse(Environment.GetEnvironmentVariable("KILLS"), out var kills) && kills > 0 ? kills : standard;
}

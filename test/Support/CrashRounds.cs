namespace Postern.Support;

/// <summary>How often a crash test kills: the number that each test gives, or the variable <c>KILLS</c>.</summary>
internal static class CrashRounds
{
    public static int Of(int standard) =>
        int.TryParse(Environment.GetEnvironmentVariable("KILLS"), out var kills) && kills > 0 ? kills : standard;
}

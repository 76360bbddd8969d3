namespace Postern.Relay.Server;

/// <summary>A code to be made.</summary>
/// <param name="Plane">Of a plane that has lost its keys; null: of a new one.</param>
internal sealed record NewCode(string Name, TimeSpan ValidFor, long? Envelopes, long? Bytes, string? Plane)
{
    /// <summary>The longest validity of a code, and its default.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(24);
    public static readonly TimeSpan Standard = TimeSpan.FromMinutes(15);

    public const int LongestName = 100;
    public const long LeastBytes = 4 * 1024 * 1024;
    public const long MostBytes = 1L << 40;
    public const long MostEnvelopes = 1_000_000;
}

namespace Postern.Http;

/// <summary>
/// The memory for bodies that are being read or used, and for answers that are being sent, of all requests together. A
/// body is in memory from its first byte on, however slowly the rest comes, and at signed routes nobody has shown a
/// credential by then. An answer is in memory until its last byte is taken. Without this bound, whoever opens many
/// connections and sends almost all of a large body on each, or reads nothing, fills the memory of the server.
/// </summary>
/// <param name="bytes">All of it.</param>
/// <param name="partyOf">Finds whose request it is: its caller, or the client's address.</param>
internal sealed class BodyRoom(long bytes, Func<HttpContext, string> partyOf)
{
    /// <summary>Bodies up to this size take no room: the number of connections bounds them.</summary>
    public const int Small = 16 * 1024;

    private const long Least = 32L * 1024 * 1024;
    private const long Largest = 1024L * 1024 * 1024;
    private readonly Shares _shares = new(bytes);

    /// <summary>Answers a request whose body found no room. A sender that repeats it is served.</summary>
    public static Refusal Full { get; } =
        new(503, "Too many large bodies and answers are under way at once. Send it again.", "unavailable")
        {
            RetryAfterSeconds = 1,
        };

    /// <summary>An eighth of the memory that the process may have, from 32 MiB to 1 GiB.</summary>
    public static long OfThisProcess { get; } =
        Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 8, Least, Largest);

    /// <summary>Returns the party that takes the room, for <see cref="Free"/>, or null when there is none.</summary>
    /// <param name="http">The request.</param>
    /// <param name="party">The party, when the request has room already.</param>
    /// <param name="more">Bytes in addition.</param>
    public string? TryTake(HttpContext http, string? party, long more)
    {
        party ??= partyOf(http);
        return _shares.TryTake(party, more) ? party : null;
    }

    public void Free(string party, long taken) => _shares.Free(party, taken);
}

namespace Postern.Deliveries;

/// <summary>
/// The secret of an agent or an endpoint when it is put. The present one stays until another is given. A secret that
/// the server makes is shown once.
/// </summary>
/// <param name="Sealed">As it is stored.</param>
/// <param name="Shown">The secret that was made, to be shown; null when it is the caller's own or was kept.</param>
/// <param name="IsKept">It is the one that was there.</param>
internal sealed record ChosenSecret(byte[] Sealed, string? Shown, bool IsKept)
{
    /// <param name="given">What the caller gives; null: nothing.</param>
    /// <param name="fresh">What is taken when there is no other.</param>
    /// <param name="old">What is stored; null: nothing.</param>
    public static ChosenSecret Of(string? given, string fresh, byte[]? old, Func<string, byte[]> protect)
    {
        if (given is not null)
            return new ChosenSecret(protect(given), null, false);
        return old is null ? new ChosenSecret(protect(fresh), fresh, false) : new ChosenSecret(old, null, true);
    }
}

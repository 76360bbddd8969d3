namespace Postern.Access;

/// <summary>
/// Reads all changes of access after a version, page by page until a page is short. With one limited read, a caller
/// that then takes the newest version as read would miss the newest changes.
/// </summary>
internal static class AccessPages
{
    public const int Size = 5_000;

    /// <param name="version">What is known already.</param>
    /// <param name="read">
    /// Reads at most <see cref="Size"/> rows after a version, in the order of their versions. A version is one row's.
    /// </param>
    /// <param name="versionOf">The version of a row.</param>
    public static async IAsyncEnumerable<List<T>> ReadAsync<T>(
        long version,
        Func<long, ValueTask<List<T>>> read,
        Func<T, long> versionOf
    )
    {
        while (true)
        {
            var page = await read(version);
            if (page.Count > 0)
                yield return page;
            if (page.Count < Size)
                yield break;
            version = versionOf(page[^1]);
        }
    }
}

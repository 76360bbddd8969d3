namespace Postern.Storage;

/// <summary>
/// Moves the numbers by which clients resume after a database was restored from a backup. Records that were written
/// after the backup had numbers too, and clients still hold them. If those numbers were given again, a client would
/// take new records for old ones and miss them. So all numbers continue from the time of the restore, in microseconds
/// since 1970: no log can have got that far. A second restore begins later still.
/// </summary>
internal static class RestoredNumbers
{
    /// <summary>The statements, written as in a migration. They can be repeated.</summary>
    /// <param name="now">Microseconds since 1970.</param>
    public static IReadOnlyList<string> GoOnFrom(long now) =>
        [
            $"UPDATE session SET in_next = {now}, out_next = {now}, message_next = {now} "
                + $"WHERE message_next < {now} AND {{rows of session}}",
            $"UPDATE run SET event_seq = {now} WHERE event_seq < {now} AND {{rows of run}}",
        ];
}

namespace Postern.Storage;

/// <summary>
/// The numbers by which clients resume, after a database was put back from a backup. What was written after the backup
/// was made had numbers too, and clients still hold them: were they given again, a client would take new records for
/// those that it has, and miss them. So all numbers go on from the time of the restore, in microseconds since 1970: no
/// log can have got that far. A second restore, of whatever backup, begins later again.
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

using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// Names under which something is done to a run only once, however often it is requested: a start under an idempotency
/// key, a retry under its client's id. A name is kept as long as its run.
/// </summary>
internal static class RunRequests
{
    /// <summary>
    /// Claims a name. A second caller waits here for the first one's commit. Returns false when it is taken.
    /// </summary>
    public static async ValueTask<bool> ClaimAsync(Tx tx, string project, string name, string run, byte[] digest) =>
        await tx.ExecuteAsync(
            """
            INSERT INTO run_request (project, name, run, digest, answer, at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (project, name) DO NOTHING
            """,
            project,
            name,
            run,
            digest,
            Array.Empty<byte>(),
            tx.Now
        ) == 1;

    /// <summary>Releases a claimed name: nothing was done under it.</summary>
    public static ValueTask<int> ReleaseAsync(Tx tx, string project, string name) =>
        tx.ExecuteAsync("DELETE FROM run_request WHERE project = $1 AND name = $2", project, name);

    /// <summary>Stores the answer under a claimed name, for repeats.</summary>
    public static ValueTask<int> AnswerAsync(Tx tx, string project, string name, string run, byte[] answer) =>
        tx.ExecuteAsync(
            "UPDATE run_request SET answer = $3, run = $4 WHERE project = $1 AND name = $2",
            project,
            name,
            answer,
            run
        );

    /// <summary>Returns what was done under a name, or null.</summary>
    public static ValueTask<RunRequest?> FindAsync(Tx tx, string project, string name) =>
        tx.FirstAsync(
            "SELECT run, digest, answer FROM run_request WHERE project = $1 AND name = $2",
            r => new RunRequest(r.GetString(0), r.Bytes(1), r.Bytes(2)),
            project,
            name
        );

    /// <summary>Stores a name under the lock of its run, so that nobody else can take it.</summary>
    public static ValueTask<int> InsertAsync(Tx tx, string project, string name, string run, byte[] digest) =>
        tx.ExecuteAsync(
            "INSERT INTO run_request (project, name, run, digest, answer, at) VALUES ($1, $2, $3, $4, $5, $6)",
            project,
            name,
            run,
            digest,
            Array.Empty<byte>(),
            tx.Now
        );
}

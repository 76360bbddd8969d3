using Postern.Storage;

namespace Postern.Runs;

/// <summary>The large parts of a run: input, output, artifacts. JSON texts, as bytes.</summary>
internal static class RunData
{
    public const string Input = "input";
    public const string Output = "output";
    public const string Artifacts = "artifacts";

    public static ValueTask<byte[]?> FindAsync(Tx tx, string project, string run, string name) =>
        tx.FirstAsync(
            "SELECT body FROM run_data WHERE project = $1 AND run = $2 AND name = $3",
            r => r.Bytes(0),
            project,
            run,
            name
        );

    public static async ValueTask<Dictionary<string, byte[]>> AllAsync(Tx tx, string project, string run) =>
        (
            await tx.ListAsync(
                "SELECT name, body FROM run_data WHERE project = $1 AND run = $2 LIMIT 10",
                r => (r.GetString(0), r.Bytes(1)),
                project,
                run
            )
        ).ToDictionary(d => d.Item1, d => d.Item2, StringComparer.Ordinal);

    public static void Put(Tx tx, string project, string run, string name, byte[] body) =>
        tx.Queue(
            """
            INSERT INTO run_data (project, run, name, body)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (project, run, name) DO UPDATE
            SET body = excluded.body
            """,
            project,
            run,
            name,
            body
        );
}

namespace Postern.Storage;

/// <summary>The one row that a listener depends on. Many such rows can be read with one statement.</summary>
/// <param name="Kind">Which table.</param>
/// <param name="Project">The project.</param>
/// <param name="Id">The session's or run's id; for a session that is not there yet, the name it will have.</param>
internal readonly record struct WatchedRow(WatchedKind Kind, string Project, string Id)
{
    public static WatchedRow Session(string project, string id) => new(WatchedKind.Session, project, id);

    public static WatchedRow SessionNamed(string project, string externalId) =>
        new(WatchedKind.SessionNamed, project, externalId);

    public static WatchedRow Run(string project, string id) => new(WatchedKind.Run, project, id);
}

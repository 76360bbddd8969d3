namespace Postern.Pages;

/// <summary>A run, a session without its run, or a captured request that does not go on as it should.</summary>
/// <param name="Kind">One of the words below.</param>
/// <param name="Since">Since when it waits for what does not come.</param>
internal sealed record StuckThing(string Kind, string Id, long Since)
{
    public const string Run = "run";
    public const string Session = "session";
    public const string Capture = "capture";

    public static StuckThing OfRun(string id, long since) => new(Run, id, since);

    public static StuckThing OfSession(string id, long since) => new(Session, id, since);

    public static StuckThing OfCapture(string id, long since) => new(Capture, id, since);
}

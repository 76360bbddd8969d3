using Postern.Runs;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>One session, with the content of the open tab.</summary>
internal sealed record SessionModel
{
    public required Session Session { get; init; }

    public required string Tab { get; init; }

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<Message> Messages { get; init; } = [];

    /// <summary>Whether there are messages before the first one.</summary>
    public bool HasOlder { get; init; }

    public bool HasNewer => Messages.Count > 0 && Messages[^1].Seq < Session.MessageNext - 1;

    /// <summary>The found messages; null when no text was searched.</summary>
    public TranscriptSearch? Found { get; init; }

    public string Channel { get; init; } = "";

    /// <summary>The names of the channels that hold records.</summary>
    public IReadOnlyList<string> Channels { get; init; } = [];

    public IReadOnlyList<Record> Records { get; init; } = [];

    /// <summary>
    /// The newest records of <c>in</c> and <c>out</c>, oldest first, shown beside the transcript; null when it is shown
    /// alone.
    /// </summary>
    public IReadOnlyList<(string Channel, Record Record)>? Beside { get; init; }

    public IReadOnlyList<Run> Runs { get; init; } = [];
}

namespace Postern.Sessions;

/// <summary>A plain record that waits to be written together with others.</summary>
internal sealed record WaitingAppend(SessionRef Name, NewRecord Record, Writer Writer)
{
    /// <summary>Its number; null when it was not written and must be tried alone.</summary>
    public TaskCompletionSource<long?> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Returns whether both are written under the same condition of their session.</summary>
    public bool GoesWith(WaitingAppend other) =>
        Name.Project == other.Name.Project && Writer.Run == other.Writer.Run && Writer.Attempt == other.Writer.Attempt;

    public bool IsSamePart(WaitingAppend other) => Record.PartId is not null && Record.PartId == other.Record.PartId;
}

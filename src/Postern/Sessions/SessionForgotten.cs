namespace Postern.Sessions;

/// <summary>An ended session is being removed with its runs; the rows of all are locked and still there.</summary>
internal sealed record SessionForgotten(string Project, string Session);

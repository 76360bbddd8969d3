namespace Postern.Pages;

/// <summary>A page of workflows: names, versions and when those were made; 0: built in.</summary>
/// <param name="Next">The cursor of the next page; null at the end.</param>
internal sealed record WorkflowsModel(IReadOnlyList<(string Name, long Version, long CreatedAt)> Rows, string? Next);

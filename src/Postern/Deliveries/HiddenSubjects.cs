namespace Postern.Deliveries;

/// <summary>
/// Hides deliveries and events about subjects that only administrators may see. The feature that owns the subjects
/// decides; this folder knows only their ids.
/// </summary>
internal abstract class HiddenSubjects
{
    /// <summary>
    /// Returns the condition that leaves out the rows of a table whose <c>subject</c> only administrators may see.
    /// </summary>
    /// <param name="table">Has the columns <c>project</c> and <c>subject</c>.</param>
    public abstract string IsShown(string table);

    /// <summary>The same condition for one reader; null: the reader is an administrator, who sees all rows.</summary>
    public string? ShownTo(bool isAdmin, string table) => isAdmin ? null : IsShown(table);
}

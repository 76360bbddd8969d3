namespace Postern.Deliveries;

/// <summary>
/// Which deliveries and events are not for everybody who reads them, because of what they tell of. The feature that
/// owns the subjects says it: this folder knows them by their ids alone.
/// </summary>
internal abstract class HiddenSubjects
{
    /// <summary>
    /// The condition that leaves out the rows of a table whose <c>subject</c> only administrators see.
    /// </summary>
    /// <param name="table">Has the columns <c>project</c> and <c>subject</c>.</param>
    public abstract string IsShown(string table);

    /// <summary>The same condition for one reader; null: the reader is an administrator, who sees all rows.</summary>
    public string? ShownTo(bool isAdmin, string table) => isAdmin ? null : IsShown(table);
}

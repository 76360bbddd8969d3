namespace Postern.Storage;

/// <summary>
/// Marks a member of a row's record that is kept: a column of its table, or (without a name) a record whose own members
/// are columns.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ColumnAttribute(string? name = null) : Attribute
{
    public string? Name => name;

    /// <summary>It is among those that <see cref="Row{T}.Assignments"/> write.</summary>
    public bool Changes { get; init; }
}

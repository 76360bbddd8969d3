namespace Postern.Storage;

/// <summary>
/// Marks a member of a row's record that is stored: a column of its table, or (without a name) a record whose members
/// are columns.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ColumnAttribute(string? name = null) : Attribute
{
    public string? Name => name;

    /// <summary>Whether <see cref="Row{T}.Assignments"/> writes it.</summary>
    public bool Changes { get; init; }
}

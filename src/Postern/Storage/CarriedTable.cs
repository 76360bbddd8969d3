namespace Postern.Storage;

/// <summary>
/// Rows that a restored database takes over from the database that it replaces, because they record what has ended.
/// </summary>
/// <param name="Table">Its rows begin with the project.</param>
/// <param name="Key">The columns by which a row is the same in both.</param>
/// <param name="Newer">
/// The column that is greater in the newer of two; null: a row that is there stays as it is.</param>
/// <param name="Adds">Whether rows that the backup does not have are taken over too.</param>
/// <param name="Description">What they are, for a person, many of them.</param>
internal sealed record CarriedTable(string Table, string[] Key, string? Newer, bool Adds, string Description);

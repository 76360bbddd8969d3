namespace Postern.Storage;

/// <summary>The result of restoring a backup.</summary>
/// <param name="Version">Its schema.</param>
/// <param name="Carried">
/// What it took over from the database that it replaced; null when there was none that could be read.
/// </param>
internal sealed record Restored(int Version, IReadOnlyList<(CarriedTable Table, int Rows)>? Carried);

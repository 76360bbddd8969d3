using Postern.Access;

namespace Postern.Pages;

/// <summary>A door, and whether it opens to whoever is asked about; null when nobody is.</summary>
internal sealed record DoorRow(Door Door, Opening? Opening);

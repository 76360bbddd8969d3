using Postern.Access;

namespace Postern.Pages;

/// <summary>A door, and whether it opens to the chosen credential; null when none is chosen.</summary>
internal sealed record DoorRow(Door Door, Opening? Opening);

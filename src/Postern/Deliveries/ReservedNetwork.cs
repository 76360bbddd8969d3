using System.Net;

namespace Postern.Deliveries;

/// <summary>A network that is not the public internet.</summary>
/// <param name="Network">The whole of it.</param>
/// <param name="Name">What the registry, or the cloud's documentation, calls it.</param>
/// <param name="Source">Where that is said.</param>
internal sealed record ReservedNetwork(IPNetwork Network, string Name, string Source);

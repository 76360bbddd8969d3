using Postern.Access;

namespace Postern.Hosting;

/// <summary>The doors of the running server, for commands and tests that print them.</summary>
internal sealed class DoorTable
{
    public Doors Doors { get; set; } = null!;
}

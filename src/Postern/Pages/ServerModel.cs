using Postern.Settings;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The content of the page of the server.</summary>
internal sealed record ServerModel
{
    /// <summary>This node's name in the stored metrics.</summary>
    public required string Node { get; init; }

    /// <summary>Counted since this process started.</summary>
    public required TimeSpan Uptime { get; init; }

    public required string Database { get; init; }

    public required int Schema { get; init; }

    public required StorageRoom Room { get; init; }

    public required int QueuedWrites { get; init; }

    public required int Streams { get; init; }

    /// <summary>The nodes that were seen in the last minutes.</summary>
    public required IReadOnlyList<ServerNode> Nodes { get; init; }

    public required DoctorReport Doctor { get; init; }

    public required IReadOnlyList<ShownSetting> Settings { get; init; }
}

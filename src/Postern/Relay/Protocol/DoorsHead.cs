using System.Text.Json;

namespace Postern.Relay.Protocol;

/// <summary>
/// From the plane: a new list of all its doors. The list, an array of <see cref="DoorEntry"/>, is the frame's body,
/// because five thousand doors do not fit into a head.
/// </summary>
internal sealed record DoorsHead(long Version) : FrameHead
{
    public static byte[] BodyOf(IReadOnlyList<DoorEntry> doors) => JsonSerializer.SerializeToUtf8Bytes(doors, Json);

    /// <summary>Returns null when the body is no list of doors, or a longer one than a relay accepts.</summary>
    public static IReadOnlyList<DoorEntry>? TryReadBody(ReadOnlySpan<byte> body)
    {
        try
        {
            var doors = JsonSerializer.Deserialize<List<DoorEntry>>(body, Json);
            return doors is not null && doors.Count <= RelayLimits.Doors && doors.TrueForAll(d => d?.IsSound == true)
                ? doors
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

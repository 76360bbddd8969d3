using System.Text.Json;

namespace Postern.Relay.Protocol;

/// <summary>
/// From the plane: the whole list of its doors is new. The list itself, an array of <see cref="DoorEntry"/>, is the
/// body: five thousand doors are larger than a head.
/// </summary>
internal sealed record DoorsHead(long Version) : FrameHead
{
    public static byte[] BodyOf(IReadOnlyList<DoorEntry> doors) => JsonSerializer.SerializeToUtf8Bytes(doors, Json);

    /// <summary>Returns null when it is no list of doors, or a longer one than a relay takes.</summary>
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

using System.Buffers;

namespace Postern.Http;

/// <summary>
/// The bytes of a body, in rented memory that grows with what arrives. A declared length takes nothing: it is only
/// said. Beyond a small size it takes room of <see cref="BodyRoom"/>, which it gives back when it is disposed.
/// </summary>
internal sealed class BodyBuffer : IDisposable
{
    private readonly HttpContext? _http;
    private byte[] _rented;
    private BodyRoom? _room;
    private string? _party;
    private long _taken;

    /// <param name="http">The request; null when its bytes are in memory anyway.</param>
    /// <param name="expected">Bytes that will probably come.</param>
    public BodyBuffer(HttpContext? http, long expected)
    {
        _http = http;
        _rented = ArrayPool<byte>.Shared.Rent((int)Math.Min(expected, BodyRoom.Small) + 1);
    }

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Bytes => _rented.AsMemory(0, Length);

    /// <summary>Returns false when there is no room.</summary>
    public bool TryAdd(ReadOnlySequence<byte> arrived)
    {
        var needed = Length + arrived.Length;
        if (needed > _rented.Length && !TryGrow(needed))
            return false;
        arrived.CopyTo(_rented.AsSpan(Length));
        Length = (int)needed;
        return true;
    }

    public void Dispose()
    {
        var rented = Interlocked.Exchange(ref _rented, []);
        if (rented.Length > 0)
            ArrayPool<byte>.Shared.Return(rented);
        if (Interlocked.Exchange(ref _taken, 0) is > 0 and var taken)
            _room!.Free(_party!, taken);
    }

    private bool TryGrow(long needed)
    {
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Max(needed, _rented.Length * 2L));
        if (!HasRoomFor(larger.Length))
        {
            ArrayPool<byte>.Shared.Return(larger);
            return false;
        }
        Bytes.CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_rented);
        _rented = larger;
        return true;
    }

    private bool HasRoomFor(long bytes)
    {
        if (_http is null)
            return true;
        _room ??= _http.RequestServices.GetRequiredService<BodyRoom>();
        if (_room.TryTake(_http, _party, bytes - _taken) is not { } party)
            return false;
        (_party, _taken) = (party, bytes);
        return true;
    }
}

using System.Text;

namespace Postern.Support;

/// <summary>A body as somebody may send it, and the headers that say what it is.</summary>
internal sealed record OddBody(byte[] Bytes, string ContentType, string? ContentEncoding = null)
{
    public override string ToString() =>
        $"{ContentType} {ContentEncoding} {Encoding.UTF8.GetString(Bytes[..Math.Min(Bytes.Length, 400)])}";
}

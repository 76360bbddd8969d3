using System.Text;

namespace Postern.Support;

/// <summary>An odd body with the headers that describe it.</summary>
internal sealed record OddBody(byte[] Bytes, string ContentType, string? ContentEncoding = null)
{
    public override string ToString() =>
        $"{ContentType} {ContentEncoding} {Encoding.UTF8.GetString(Bytes[..Math.Min(Bytes.Length, 400)])}";
}

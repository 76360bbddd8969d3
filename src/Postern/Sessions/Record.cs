namespace Postern.Sessions;

/// <summary>
/// One entry of a channel as it is kept: <see cref="Body"/> is the JSON text that goes out, empty for a control record,
/// whose meaning is in <see cref="Headers"/> (JSON, <c>[["name","value"]]</c>).
/// </summary>
internal sealed record Record(long Seq, long At, byte[] Body, string? Headers)
{
    /// <summary>The number of bytes that it takes.</summary>
    public long Size => Body.Length + (Headers?.Length ?? 0);

    public bool IsTurnComplete =>
        Headers is not null && Headers.Contains(Control.TurnCompleteHeader, StringComparison.Ordinal);
}

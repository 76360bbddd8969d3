using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>A request that waits to be stored together with others of its plane.</summary>
/// <param name="envelope">What came.</param>
/// <param name="retention">Microseconds that it waits for an answer at most.</param>
internal sealed class WaitingArrival(NewEnvelope envelope, long retention)
{
    private readonly byte[] _request = envelope.Request.ToBytes();

    /// <summary>The key that was agreed on while the request waited. It seals once, then it is null.</summary>
    private MessageKey? _prepared;

    public NewEnvelope Envelope => envelope;

    public long Retention => retention;

    public TaskCompletionSource<PlacedEnvelope> Outcome { get; } =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Does the part that needs no number: outside of the transaction, for several requests at the same time.
    /// </summary>
    public void Prepare()
    {
        if (envelope.OpenKey is { } open)
            _prepared = EnvelopeSeal.Agree(P256PublicKey.OfStored(open));
    }

    /// <summary>
    /// Returns the envelope as it is stored and sent. When the transaction runs again, it seals with another key.
    /// </summary>
    /// <param name="open">The plane's key under its lock.</param>
    /// <param name="head">What names it.</param>
    /// <param name="relay">The relay's key.</param>
    public byte[] Seal(P256PublicKey open, EnvelopeHead head, P256Key relay)
    {
        var prepared = Interlocked.Exchange(ref _prepared, null);
        var once = prepared is not null && envelope.OpenKey == open.Text ? prepared : EnvelopeSeal.Agree(open);
        return EnvelopeSeal.Seal(once, open.Id, head, _request).Encode(relay, RelaySignature.ToPlane);
    }
}

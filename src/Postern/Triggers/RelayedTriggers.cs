using Postern.Access;
using Postern.Settings;

namespace Postern.Triggers;

/// <summary>
/// Decides which triggers a relay may pass requests to, and how long their messages are remembered. A relay could hold
/// a message back, or pass it on twice. So a signed message is remembered one day longer than a relay may hold it.
/// </summary>
internal sealed class RelayedTriggers(PosternOptions options)
{
    private const long Day = 24L * 3600 * 1_000_000;
    private long _held;

    /// <summary>Returns whether this server has joined a relay.</summary>
    public bool IsJoined => Interlocked.Read(ref _held) > 0;

    /// <summary>How long a joined relay may hold a request, in microseconds; zero without a relay.</summary>
    public void MayBeHeldFor(long microseconds) => Interlocked.Exchange(ref _held, microseconds);

    /// <summary>How long any message is remembered, in microseconds.</summary>
    public long Longest => CaptureStore.RememberedFor + Interlocked.Read(ref _held);

    /// <summary>How long a trigger's messages are remembered, in microseconds.</summary>
    public long RememberedFor(Trigger trigger) => IsSigned(trigger) ? Longest : Day;

    /// <summary>Returns why no relay may pass requests to a trigger, for people, or null.</summary>
    public string? WhyNot(Trigger trigger) =>
        trigger.Mode != Trigger.Webhook ? "A schedule has no public URL."
        : !options.Relay.Doors.Contains(RelayClass.Inbound, StringComparer.Ordinal)
            ? "Postern:Relay:Doors leaves triggers out."
        : !trigger.IsActive ? "It is paused."
        : trigger.AuthScheme is not null && !IsSigned(trigger) && !options.Relay.DangerousBearerDoors
            ? "Its secret is a header itself: the relay would see it, and could use it. Choose a scheme that signs."
        : null;

    private static bool IsSigned(Trigger trigger) =>
        trigger.AuthScheme is { } name && SignatureScheme.Of(name) is { Proof: not Proof.Secret };
}

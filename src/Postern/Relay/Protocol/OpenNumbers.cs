namespace Postern.Relay.Protocol;

/// <summary>Numbers of a plane's envelopes.</summary>
/// <param name="First">The smallest that is stored and unanswered; <paramref name="Next"/> when none is.</param>
/// <param name="Next">The number that the next envelope gets.</param>
internal sealed record OpenNumbers(long First, long Next);

using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>Other bounds of a plane; what is absent stays.</summary>
internal sealed record SetRelayQuota(
    [Whole("How many requests it may have stored.", 100, NewCode.MostEnvelopes)] long? Envelopes,
    [Whole("How many bytes of them.", NewCode.LeastBytes, NewCode.MostBytes)] long? Bytes
);

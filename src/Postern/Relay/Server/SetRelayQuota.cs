using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>New limits of a plane. An absent member stays as it is.</summary>
internal sealed record SetRelayQuota(
    [Whole("How many requests it may have stored.", 100, NewCode.MostEnvelopes)] long? Envelopes,
    [Whole("How many bytes of them.", NewCode.LeastBytes, NewCode.MostBytes)] long? Bytes
);

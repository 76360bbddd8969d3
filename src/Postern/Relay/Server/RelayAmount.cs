using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>A number of requests, and their bytes.</summary>
internal sealed record RelayAmount(
    [Member("How many requests.")] long Envelopes,
    [Member("How many bytes.")] long Bytes
);

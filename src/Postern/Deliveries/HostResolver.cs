using System.Net;

namespace Postern.Deliveries;

/// <summary>Resolves a name to addresses: by the system, except where a test has a resolver of its own.</summary>
internal delegate Task<IPAddress[]> HostResolver(string host, CancellationToken cancel);

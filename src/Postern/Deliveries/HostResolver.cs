using System.Net;

namespace Postern.Deliveries;

/// <summary>How names become addresses: the system's resolver, except where a test has its own.</summary>
internal delegate Task<IPAddress[]> HostResolver(string host, CancellationToken cancel);

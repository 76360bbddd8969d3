using System.Net;

namespace Postern.Deliveries;

/// <summary>Resolves a name to addresses. It uses the system's resolver; tests have their own.</summary>
internal delegate Task<IPAddress[]> HostResolver(string host, CancellationToken cancel);

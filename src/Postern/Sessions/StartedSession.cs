using System.Diagnostics.CodeAnalysis;
using Postern.Http;

namespace Postern.Sessions;

internal sealed record StartedSession : SessionItem
{
    [SetsRequiredMembers]
    public StartedSession(SessionItem item, string runId, string? publicAccessToken, bool isCached)
        : base(item) => (RunId, PublicAccessToken, IsCached) = (runId, publicAccessToken, isCached);

    [Member("The live run.")]
    public string RunId { get; }

    [Member("A token for the session; null where nothing is derived from the caller's credential: a one-time token.")]
    public string? PublicAccessToken { get; }

    [Member("Whether the session was there before.")]
    public bool IsCached { get; }
}

using Postern.Access;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// Waits until every node has ended what the revocation of a key ends, which takes a second, so that the key's page
/// shows all of it.
/// </summary>
internal sealed class RevokedEverywhere(Database database, TimeProvider clock)
{
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(1);

    public async Task WaitAsync(PageContext context, KeyRow key)
    {
        if (key.RevokedAt is not { } at || database.IsEmbedded)
            return;
        var left = Within - TimeSpan.FromMicroseconds(context.Now - at);
        if (left <= TimeSpan.Zero || left > Within)
            return;
        await Task.Delay(left, clock, context.Http.RequestAborted);
        // The person may have lost the right to see this meanwhile.
        context.Caller.EnsureStillAllowed();
    }
}

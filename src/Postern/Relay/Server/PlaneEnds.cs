using Postern.Access;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>Changes a plane as a whole: its keys, its limits, its end.</summary>
internal sealed class PlaneEnds(
    Database database,
    RelayPlaneStore planes,
    EnvelopeStore envelopes,
    PageStore pages,
    Projects projects
)
{
    /// <summary>Changes the keys. Returns false when the plane was revoked meanwhile.</summary>
    public async Task<bool> RotateAsync(string plane, RotatePlaneKeys keys, string address)
    {
        var audited = await OfRelayAsync(new AuditRow("", "relay.plane.rotated", "plane", plane, Address: address));
        return await database.WriteAsync(async tx =>
        {
            if (await RelayPlaneStore.LockAsync(tx, plane) is not { RevokedAt: null } known)
                return false;
            // The plane repeats this when it missed the answer. Nothing changes then, and the old key keeps its time.
            if (known.SignKey == keys.Sign && known.OpenKey == keys.Open)
                return true;
            await RelayPlaneStore.SetKeysAsync(tx, known, keys.Sign, keys.Open, isLost: false);
            tx.Notify(RelayTopics.OfConnections(plane));
            Audit.Write(tx, audited);
            return true;
        });
    }

    public async Task<bool> SetQuotaAsync(string plane, long? count, long? bytes, AuditRow audited) =>
        await planes.SetQuotaAsync(plane, count, bytes, await OfRelayAsync(audited));

    /// <summary>
    /// Ends a plane's access, and deletes its waiting envelopes. Returns false when there is no such plane.
    /// </summary>
    /// <param name="plane">Its id.</param>
    /// <param name="keepsBacklog">What waits is kept until it expires.</param>
    /// <param name="audited">Its row of the audit, but for the project.</param>
    public async Task<bool> RevokeAsync(string plane, bool keepsBacklog, AuditRow audited)
    {
        if (!await planes.RevokeAsync(plane, await OfRelayAsync(audited)))
            return false;
        if (!keepsBacklog)
            await envelopes.DeleteAsync(plane, long.MaxValue);
        await pages.RemoveAllAsync(plane);
        return true;
    }

    private async ValueTask<AuditRow> OfRelayAsync(AuditRow row) =>
        row with
        {
            Project = await projects.DefaultAsync() ?? Audit.NoProject,
        };
}

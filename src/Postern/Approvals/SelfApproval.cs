using Postern.Access;
using Postern.Http;
using Postern.Settings;

namespace Postern.Approvals;

/// <summary>
/// Prevents self-approval: the key that asked cannot decide, nor a key that it made, nor a token or session of one of
/// these. An operator may exempt a project for trying things out.
/// </summary>
internal sealed class SelfApproval(
    KeyStore keys,
    Projects projects,
    CredentialReader credentials,
    Audit audit,
    PosternOptions options
)
{
    public static Refusal Refusal { get; } =
        new(403, "Who asked does not answer: a run and the key that asked cannot decide.", "self_approval");

    /// <summary>Returns whether the caller asked this question itself, and therefore cannot decide it.</summary>
    public async ValueTask<bool> IsItselfAsync(ProjectCaller caller, Approval approval) =>
        await AskedAsync(caller, approval) && !await MayApproveItselfAsync(caller.Project);

    /// <summary>Returns the refusal, with its audit row, or null for a caller that may decide.</summary>
    public async ValueTask<Refusal?> RefuseAsync(HttpContext http, ProjectCaller caller, Approval approval)
    {
        if (!await IsItselfAsync(caller, approval))
            return null;
        if (http.GetEndpoint()?.Metadata.GetMetadata<Door>() is { } door)
            audit.Forbidden(http, door, caller, credentials.AddressOf(http), Refusal.Code);
        return Refusal;
    }

    /// <summary>
    /// Checks the key that asked, the keys that it made and tokens of all of these, however far down. In the console, a
    /// person without a key may ask; then it is the person.
    /// </summary>
    private async ValueTask<bool> AskedAsync(ProjectCaller caller, Approval approval)
    {
        if (approval.AskedWith is not ("key" or Asker.Console))
            return false;
        var key = caller.Authority.Key?.Row;
        if (key is null)
            return approval.AskedWith == Asker.Console && approval.AskedBy == caller.Authority.Actor;
        // A key is younger than the key that made it, so the walk ends.
        for (
            ;
            key is not null;
            key =
                    await keys.FindAsync(key.CreatedBy) is { } maker
                    && maker.Project == key.Project
                    && maker.CreatedAt <= key.CreatedAt
                    && maker.Id != key.Id
                        ? maker
                        : null
        )
            if (key.Id == approval.AskedBy)
                return true;
        return false;
    }

    private async ValueTask<bool> MayApproveItselfAsync(string project)
    {
        var allowed = options.Approvals.DangerousSelfApprovalProjects;
        return allowed.Length > 0
            && (
                allowed.Contains(project, StringComparer.Ordinal)
                || (
                    await projects.FindAsync(project) is { } found
                    && allowed.Contains(found.Name, StringComparer.Ordinal)
                )
            );
    }
}

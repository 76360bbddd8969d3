using Postern.Access;
using Postern.Dispatch;
using Postern.Runs;

namespace Postern.Approvals;

/// <summary>
/// Who asks: a key, or a run by its own token, and then which attempt of it. Whoever else comes with a token is
/// somebody else.
/// </summary>
internal sealed record Asker(string Credential, string Actor, long? Attempt)
{
    /// <summary>The credential of who asks in the console's playground; by no other way a question has it.</summary>
    public const string Console = "console";

    public static Asker Of(ProjectCaller caller, string run) =>
        RunRoutes.AttemptOf(caller, run) is { } attempt
            ? new Asker("run", run, attempt)
            : new Asker(caller.Authority.Credential, caller.Authority.Actor, null);
}

using Postern.Access;
using Postern.Dispatch;
using Postern.Runs;

namespace Postern.Approvals;

/// <summary>
/// The asker of a question: a key, or an attempt of a run with the run's own token. Any other token is another asker.
/// </summary>
internal sealed record Asker(string Credential, string Actor, long? Attempt)
{
    /// <summary>The credential of a question from the console's playground; no other question has it.</summary>
    public const string Console = "console";

    public static Asker Of(ProjectCaller caller, string run) =>
        RunRoutes.AttemptOf(caller, run) is { } attempt
            ? new Asker("run", run, attempt)
            : new Asker(caller.Authority.Credential, caller.Authority.Actor, null);
}

using Postern.Access;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Dispatch;

/// <summary>Returns where the end of a dispatched run is reported, with the credential for it.</summary>
internal sealed class DispatchCallbacks(CallbackSecrets callbacks, CaptureStore captures, Database database)
{
    /// <summary>
    /// The end of a captured request is reported to the execution callback, every other end to the run's own status
    /// route.
    /// </summary>
    public async ValueTask<DispatchCallback> OfAsync(Run run, Session? session)
    {
        var capture = session is { IsOfTrigger: true }
            ? await captures.OfTurnAsync(run.Project, session.Id, session.TurnInSeq)
            : null;
        if (
            capture is not null
            && await database.ReadAsync(tx => TriggerStore.FindByUidAsync(tx, run.Project, capture.TriggerUid))
                is { } trigger
        )
        {
            var token = await callbacks.TokenForAsync(
                run.Project,
                ExecutionRoutes.Scope,
                trigger.Name.Namespace,
                trigger.Name.Id,
                capture.Id
            );
            return new DispatchCallback(
                "/api/callbacks/execution",
                [
                    (CredentialReader.CallbackTokenHeader, token),
                    (ExecutionRoutes.NamespaceHeader, trigger.Name.Namespace),
                    (ExecutionRoutes.TriggerHeader, trigger.Name.Id),
                    (ExecutionRoutes.RequestHeader, capture.Id),
                ],
                trigger,
                capture
            );
        }
        var attempt = run.Attempt.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return new DispatchCallback(
            $"/api/v1/runs/{run.Id}/status",
            [
                (
                    CredentialReader.CallbackTokenHeader,
                    await callbacks.TokenForRunAsync(run.Project, run.Id, run.Attempt)
                ),
                (CredentialReader.RunHeader, run.Id),
                (CredentialReader.AttemptHeader, attempt),
            ],
            null,
            null
        );
    }
}

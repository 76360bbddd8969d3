using System.Text;
using System.Text.Json;
using Postern.Access;
using Postern.Approvals;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// Sends a decision to this server's own door for approval services, as the service would: over HTTP, signed with the
/// service's secret, which is shown to nobody.
/// </summary>
internal sealed class DecisionSender(OwnDoor door, ApprovalServices services, Projects projects, Database database)
{
    private const string Header = "X-Webhook-Signature";
    private const string Sha256Prefix = "sha256=";
    private const long TenMinutes = 600;

    /// <summary>Returns the statuses of the answers, one or two; or why nothing is sent.</summary>
    /// <param name="caller">On whose behalf.</param>
    /// <param name="asked">The question.</param>
    /// <param name="decision">What the service says.</param>
    /// <param name="cancel">The request's.</param>
    public async Task<Checked<IReadOnlyList<int>>> SendAsync(
        ProjectCaller caller,
        Approval asked,
        TestDecision decision,
        CancellationToken cancel
    )
    {
        if (services.Find(asked.Project, asked.Service) is not { } service)
            return new Refusal(
                409,
                $"There is no approval service {asked.Service}: put one, with its secret, under Keys.",
                "no_service"
            );
        var body = JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                requestId = asked.Id,
                decision = decision.Word,
                feedback = decision.Feedback,
            },
            Wire.Json
        );
        if (!Sign(service, body, decision).Try(out var signature, out var unsigned))
            return unsigned;
        if (door.Slower(caller) is { } slower)
            return slower;
        var path = "/api/v1/webhooks/approval-response";
        if (asked.Project != await projects.DefaultAsync())
            path += "/" + Uri.EscapeDataString(asked.Project);
        var answers = new List<int>();
        for (var time = decision.Way == TestSender.Twice ? 2 : 1; time > 0; time--)
        {
            caller.EnsureStillAllowed();
            var sent = await door.PostAsync(path, body, "application/json", signature, cancel);
            if (!sent.Try(out var answer, out var unreachable))
                return unreachable;
            answers.Add(answer.Status);
        }
        return answers;
    }

    private Checked<List<(string Name, string Value)>> Sign(ApprovalService service, byte[] body, TestDecision decision)
    {
        var isOld = decision.Way == TestSender.Old;
        if (isOld && decision.Form is SignatureForm.Sha256 or SignatureForm.Raw)
            return new Refusal(409, $"The form {decision.Form} signs no time, so none is too old.", "not_timed");
        var rule = decision.Form switch
        {
            SignatureForm.Standard => RuleOf("standard", service.Secrets, "webhook-signature"),
            SignatureForm.Timed => RuleOf("stripe", service.TextSecrets, Header),
            _ => RuleOf("github", service.TextSecrets, Header),
        };
        var seconds = (database.Now / 1_000_000) - (isOld ? TenMinutes : 0);
        var id = Guid.NewGuid().ToString("N");
        if (SignatureWriter.Sign(rule, body, seconds, id, decision.Way == TestSender.Wrong) is not { } signed)
            return new Refusal(
                409,
                $"{service.Name} has no secret to sign with in the form {decision.Form}.",
                "not_signable"
            );
        return decision.Form == SignatureForm.Raw
            ? [.. signed.Select(s => (s.Name, s.Value.Replace(Sha256Prefix, "", StringComparison.Ordinal)))]
            : signed;
    }

    private static SignatureRule RuleOf(string scheme, IReadOnlyList<string> secrets, string header) =>
        new(SignatureScheme.Of(scheme)!, secrets, header);
}

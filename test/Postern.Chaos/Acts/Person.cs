using System.Text.Json;
using Postern.Support;

namespace Postern.Chaos.Acts;

/// <summary>Decides questions with a key, a signed message or the link; sometimes two persons disagree.</summary>
internal sealed class Person(World world, string name) : Actor(world, name)
{
    protected override async Task ActAsync()
    {
        if (!World.Questions.TryDequeue(out var question))
        {
            await PauseAsync(300);
            return;
        }
        await PauseAsync(400);
        var decision = Chance(3) ? "rejected" : "approved";
        if (Chance(4))
            await Task.WhenAll(BySignatureAsync(question, "approved"), BySignatureAsync(question, "rejected"));
        else if (Chance(2))
            await BySignatureAsync(question, decision);
        else if (Chance(2))
            await ByLinkAsync(question, decision);
        else
            await ByKeyAsync(question, decision);
    }

    private async Task BySignatureAsync((string Run, string Approval) question, string decision)
    {
        var body = JsonSerializer.Serialize(new { requestId = question.Approval, decision });
        Told(
            question,
            decision,
            await PostAsync(
                "/api/v1/webhooks/approval-response",
                body,
                "none",
                ("X-Webhook-Signature", "sha256=" + World.Sign(body))
            )
        );
    }

    private async Task ByKeyAsync((string Run, string Approval) question, string decision) =>
        Told(
            question,
            decision,
            await PostAsync(
                $"/api/v1/executions/{question.Run}/approval-response",
                new { decision, approval_request_id = question.Approval },
                World.Decider
            )
        );

    private async Task ByLinkAsync((string Run, string Approval) question, string decision)
    {
        var shown = await GetAsync("/api/v1/approvals/" + question.Approval, World.Decider);
        if (!Expect("read", shown) || shown.Json.GetProperty("request_url").GetString() is not { } link)
            return;
        var path = new Uri(link).AbsolutePath;
        await Caller.InsistAsync(Random, HttpMethod.Get, path, null, null);
        using var form = new FormUrlEncodedContent([new("decision", decision)]);
        var bytes = await form.ReadAsByteArrayAsync();
        using var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new("application/x-www-form-urlencoded");
        var answer = await Caller.TryAsync(Random.Next(8), HttpMethod.Post, path, content, null);
        if (answer.Status is 0 or 303 or 429 or 503 or 409 or 410)
            World.Questions.Enqueue(question);
        else
            Expect("link", answer);
    }

    private void Told((string Run, string Approval) question, string decision, Answer answer)
    {
        // 409: another was faster. 410: the run ended around the question.
        if (!Expect("decide", answer, 409, 410))
            return;
        Ledger.Acknowledge(
            "decided",
            new
            {
                run = question.Run,
                approval = question.Approval,
                decision,
            }
        );
    }
}

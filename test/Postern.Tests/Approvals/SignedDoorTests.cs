using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Postern.Support;

namespace Postern.Tests.Approvals;

/// <summary>Decisions from outside: the answers of the contract, the forms of signatures, whose secrets decide what, and that nothing but a listed word approves.</summary>
public sealed class SignedDoorTests : ApprovalTest
{
    private const string Door = "/api/v1/webhooks/approval-response";

    private Task<Answer> SendAsync(string body, params (string, string)[] headers) => _server.SendAsync(HttpMethod.Post, Door, null, Encoding.UTF8.GetBytes(body), headers);

    private Task<Answer> ServiceAsync(string name, object body) => _server.SendAsync(HttpMethod.Put, "/api/v1/approval-services/" + name, _server.RootKey, body);

    [Fact]
    public async Task It_is_off_until_a_secret_is_configured_and_when_it_is_taken_away()
    {
        await using var bare = await TestServer.StartAsync();
        var body = "{\"requestId\":\"x\",\"decision\":\"approved\"}";
        var off = await bare.SendAsync(HttpMethod.Post, Door, null, body, Asking.Sign(body));
        Assert.Equal((503, "{\"error\":\"approval webhook not configured\"}"), (off.Status, off.Text));
        Assert.Equal(404, (await _asking.SendAsync(body)).Status);
        Assert.Equal(204, (await _server.SendAsync(HttpMethod.Delete, "/api/v1/approval-services/default", _server.RootKey)).Status);
        Assert.Equal(503, (await _asking.SendAsync(body)).Status);
    }

    [Theory]
    [InlineData("approved", "approved", "running")]
    [InlineData(" Approve ", "approved", "running")]
    [InlineData("CONTINUE", "approved", "running")]
    [InlineData("confirm", "approved", "running")]
    [InlineData("rejected", "rejected", "cancelled")]
    [InlineData("reject", "rejected", "cancelled")]
    [InlineData("deny", "rejected", "cancelled")]
    [InlineData("abort", "rejected", "cancelled")]
    [InlineData("cancel", "rejected", "cancelled")]
    [InlineData("request_changes", "request_changes", "running")]
    [InlineData("expired", "expired", "cancelled")]
    public async Task The_first_decision_wins_and_the_others_are_told(string said, string decision, string status)
    {
        var (run, _, request) = await _asking.WaitingAsync();
        var won = await _asking.DecideAsync(request, said, "because");
        Assert.Equal((200, $$"""{"status":"processed","execution_id":"{{run}}","decision":"{{decision}}","new_status":"{{status}}"}"""), (won.Status, won.Text));
        var again = await _asking.DecideAsync(request, decision, "once more");
        Assert.Equal((200, $$"""{"status":"already_processed","execution_id":"{{run}}","current_status":"{{status}}","approval_status":"{{decision}}"}"""), (again.Status, again.Text));
        var other = await _asking.DecideAsync(request, decision == "approved" ? "rejected" : "approved");
        if (decision == "expired") Assert.Equal((410, "{\"error\":\"approval_expired\"}"), (other.Status, other.Text));
        else
        {
            Assert.Equal((409, "decision_conflict", decision), (other.Status, other.String("error"), other.String("approval_status")));
            Assert.Equal(["error", "approval_status", "decided_at"], other.Json.EnumerateObject().Select(m => m.Name));
        }

        var kept = await _asking.StatusAsync(run);
        Assert.Equal((decision, "because", "default"), (kept.GetProperty("status").GetString(), kept.GetProperty("feedback").GetString(), kept.GetProperty("decided_by").GetString()));
        Assert.True(kept.TryGetProperty("responded_at", out _));
        var events = await _asking.EventsAsync(run);
        var answer = events.Single(e => e.GetProperty("type").GetString() == "approval_decided");
        Assert.Equal((decision, "because", "service", "default"), (answer.GetProperty("detail").GetProperty("decision").GetString(), answer.GetProperty("detail").GetProperty("feedback").GetString(), answer.GetProperty("credential").GetString(), answer.GetProperty("actor").GetString()));
        Assert.Equal("decision_conflict", events.Single(e => e.GetProperty("type").GetString() == "approval_decision").GetProperty("code").GetString());
        Assert.Equal(status, (await _asking.RunAsync(run)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_refusal_ends_the_run_with_its_reason_or_lets_it_go_on_when_it_asked_so()
    {
        var (run, _, request) = await _asking.WaitingAsync();
        await _asking.DecideAsync(request, "reject", "not on a Friday");
        Assert.Equal("The approval was rejected: not on a Friday", (await _asking.RunAsync(run)).GetProperty("reason").GetString());
        foreach (var refusal in (string[])["rejected", "expired"])
        {
            var (on, token, second) = await _asking.WaitingAsync(new { on_reject = "continue" });
            Assert.Equal("running", (await _asking.DecideAsync(second, refusal, "no")).String("new_status"));
            Assert.Equal((refusal, "no"), ((await _asking.StatusAsync(on)).GetProperty("status").GetString(), (await _asking.StatusAsync(on)).GetProperty("feedback").GetString()));
            Assert.Equal(200, (await _server.PostAsync($"/api/v1/runs/{on}/status", new { status = "succeeded" }, token)).Status);
        }
    }

    [Fact]
    public async Task An_envelope_is_read_like_the_flat_form()
    {
        var (run, _, request) = await _asking.WaitingAsync();
        var answer = await _asking.SendAsync(JsonSerializer.Serialize(new { id = "evt", type = "response.submitted", createdAt = "2026-01-01T00:00:00Z", data = new { requestId = request, response = new { action = "Approve", feedback = "fine", amount = 12.50m } } }));
        Assert.Equal((200, "approved"), (answer.Status, answer.String("decision")));
        var kept = await _asking.StatusAsync(run);
        Assert.Equal(("fine", "{\"action\":\"Approve\",\"feedback\":\"fine\",\"amount\":12.50}"), (kept.GetProperty("feedback").GetString(), kept.GetProperty("response").GetRawText()));
        var (expired, _, second) = await _asking.WaitingAsync();
        Assert.Equal("expired", (await _asking.SendAsync(JsonSerializer.Serialize(new { id = "e", type = "expired", data = new { requestId = second } }))).String("decision"));
        Assert.Equal("The approval expired.", (await _asking.RunAsync(expired)).GetProperty("reason").GetString());
    }

    [Theory]
    [InlineData("", "invalid payload: the body is empty")]
    [InlineData("{", "invalid payload: the body is not strict JSON in UTF-8")]
    [InlineData("[]", "invalid payload: the body is not an object")]
    [InlineData("{\"requestId\":\"R\",\"decision\":\"approved\",\"decision\":\"approved\"}", "invalid payload: the body is not strict JSON in UTF-8")]
    [InlineData("{\"decision\":\"approved\"}", "requestId is required")]
    [InlineData("{\"requestId\":\" \",\"decision\":\"approved\"}", "requestId is required")]
    [InlineData("{\"requestId\":7,\"decision\":\"approved\"}", "requestId is required")]
    [InlineData("{\"requestId\":\"R\",\"data\":{\"requestId\":\"other\",\"response\":{\"decision\":\"approved\"}}}", "requestId is required")]
    [InlineData("{\"requestId\":\"R\"}", "invalid decision ''; must be approved, rejected, request_changes, or expired")]
    [InlineData("{\"requestId\":\"R\",\"decision\":null}", "invalid decision ''; must be approved, rejected, request_changes, or expired")]
    [InlineData("{\"requestId\":\"R\",\"decision\":true}", "invalid decision 'true'; must be approved, rejected, request_changes, or expired")]
    [InlineData("{\"requestId\":\"R\",\"decision\":\"yes\"}", "invalid decision 'yes'; must be approved, rejected, request_changes, or expired")]
    [InlineData("{\"requestId\":\"R\",\"decision\":[\"approved\"]}", "invalid decision '[\"approved\"]'; must be approved, rejected, request_changes, or expired")]
    [InlineData("{\"requestId\":\"R\",\"decision\":\"cancelled\"}", "invalid decision 'cancelled'; must be approved, rejected, request_changes, or expired")]
    [InlineData("{\"type\":\"approved\",\"data\":{\"requestId\":\"R\"}}", "invalid decision ''; must be approved, rejected, request_changes, or expired")]
    [InlineData("{\"type\":\"completed\",\"data\":{\"requestId\":\"R\",\"response\":{}}}", "invalid decision ''; must be approved, rejected, request_changes, or expired")]
    [InlineData("{\"type\":\"expired\",\"data\":{\"requestId\":\"R\",\"response\":{\"decision\":\"approved\"}}}", "invalid payload: it says both expired and approved")]
    [InlineData("{\"data\":{\"requestId\":\"R\",\"response\":{\"decision\":\"rejected\",\"action\":\"approve\"}}}", "invalid payload: it says both rejected and approved")]
    [InlineData("{\"requestId\":\"R\",\"decision\":\"approved\",\"data\":{\"response\":{\"decision\":\"rejected\"}}}", "invalid payload: it says both approved and rejected")]
    [InlineData("{\"requestId\":\"R\",\"decision\":\"approved\",\"response\":{\"decision\":\"deny\"}}", "invalid payload: it says both approved and rejected")]
    [InlineData("{\"data\":{\"requestId\":\"R\",\"response\":\"approved\"}}", "invalid payload: data.response is not an object")]
    [InlineData("{\"requestId\":\"R\",\"decision\":\"approved\",\"data\":[]}", "invalid payload: data is not an object")]
    [InlineData("{\"requestId\":\"R\",\"decision\":\"approved\",\"feedback\":{}}", "invalid payload: feedback is not a text of at most 65536 characters")]
    [InlineData("{\"requestId\":\"R\",\"decision\":\"approved\",\"payload_hash\":1}", "invalid payload: payload_hash is not one text")]
    public async Task What_is_not_clearly_a_decision_is_refused_and_says_why(string body, string error)
    {
        var (run, _, request) = await _asking.WaitingAsync();
        var refused = await _asking.SendAsync(body.Replace("\"R\"", JsonSerializer.Serialize(request), StringComparison.Ordinal));
        Assert.Equal((400, error), (refused.Status, refused.String("error")));
        Assert.Equal("waiting", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
    }

    /// <summary>Thousands of shapes: whatever stands where a decision may stand, the run goes on only where every place that says anything says a listed word that approves.</summary>
    [Fact]
    public async Task Nothing_but_a_listed_word_approves()
    {
        string[] approving = ["approved", "approve", "continue", "confirm"];
        var words = Gen.Elements("\"approved\"", "\" Approve\"", "\"continue\"", "\"CONFIRM\"");
        var odd = Gen.Elements(
            "null", "true", "false", "0", "1", "\"\"", "\" \"", "[]", "{}", "\"approved\"", "\"APPROVE\"", "\"  confirm\\n\"", "\"continue\"", "\"approved.\"", "\"approvedx\"", "\"approve d\"", "\"\\u0061pproved\"", "\"\u0430pproved\"",
            "\"yes\"", "\"ok\"", "\"true\"", "\"1\"", "[\"approved\"]", "{\"decision\":\"approved\"}", "{\"approved\":true}", "\"rejected\"", "\"deny\"", "\"request_changes\"", "\"expired\"", "\"cancelled\"", "\"\\ud800\"", "\"approved\\u0000\"");
        var value = Gen.Frequency((2, words), (1, odd));
        var member =
            from name in Gen.Frequency((3, Gen.Elements("decision", "action")), (1, Gen.Elements("Decision", "data", "response", "type", "requestId", "approved", "status", "feedback", "payload_hash", "timestamp")))
            from v in value
            select (name, v);
        var members = Gen.Choose(0, 3).SelectMany(n => Gen.ListOf(member, n));
        var inner = members.Select(list => "{" + string.Join(",", list.Select(m => $"\"{m.name}\":{m.v}")) + "}");
        var shape =
            from top in members
            from data in members
            from response in inner
            from nests in Gen.Elements(0, 1, 2, 3)
            select "{\"requestId\":\"q\"" + string.Concat(top.Where(m => m.name != "requestId" || nests == 3).Select(m => $",\"{m.name}\":{m.v}"))
                + (nests is 1 or 2 ? ",\"data\":{\"requestId\":\"q\"" + string.Concat(data.Where(m => m.name != "requestId").Select(m => $",\"{m.name}\":{m.v}")) + (nests == 2 ? $",\"response\":{response}" : "") + "}" : "") + "}";

        var (approved, refused) = (0, 0);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(20_000), Prop.ForAll(Arb.From(shape), body =>
        {
            var message = Read(body);
            if (message is null) refused++;
            if (message?.Decided.Word != Postern.Approvals.Decision.Approved) return true;
            approved++;
            // What approves says so in words, at every place of a decision that is not null.
            using var json = JsonDocument.Parse(body);
            var root = json.RootElement;
            var data = root.TryGetProperty("data", out var d) && d.ValueKind == JsonValueKind.Object ? d : default;
            var response = data.ValueKind == JsonValueKind.Object && data.TryGetProperty("response", out var r) && r.ValueKind == JsonValueKind.Object ? r : default;
            var said = new[] { Said(root, "decision"), Said(data, "decision"), Said(response, "decision"), Said(response, "action") }.Where(s => s is not null).ToList();
            return said.Count > 0 && said.TrueForAll(s => approving.Contains(s!.Trim().ToLowerInvariant())) && !(data.ValueKind == JsonValueKind.Object && Said(root, "type") == "expired");
        }));
        Assert.True(approved > 200 && refused > 5000, $"{approved} approved, {refused} were refused: both kinds are among them");

        // The same at the door: three thousand that are no decision, signed, and the run waits still.
        var (run, token, _) = await _asking.RunningAsync();
        await _asking.AskAsync(run, token, new { approval_request_id = "q" });
        var undecided = shape.Sample(6000).Where(body => Read(body) is null).Take(3000).ToList();
        Assert.Equal(3000, undecided.Count);
        await Parallel.ForEachAsync(undecided, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (body, _) =>
        {
            var answer = await _asking.SendAsync(body);
            Assert.True(answer.Status == 400 && answer.Json.GetProperty("error").GetString() is { Length: > 10 }, $"{body}: {answer}");
        });
        Assert.Equal("pending", (await _asking.StatusAsync(run)).GetProperty("status").GetString());

        static string? Said(JsonElement from, string name) =>
            from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out var v) && v.ValueKind != JsonValueKind.Null ? v.ValueKind == JsonValueKind.String ? Postern.Http.Fields.TextOf(v) ?? "" : v.GetRawText() : null;
    }

    private static Postern.Approvals.ApprovalMessage? Read(string body)
    {
        var http = new Microsoft.AspNetCore.Http.DefaultHttpContext();
        http.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(body));
        var (read, _) = Postern.Http.RequestBody.ReadAsync(http, 1 << 20).AsTask().GetAwaiter().GetResult();
        using (read) return Postern.Approvals.ApprovalMessage.Read(read!).Message;
    }

    [Fact]
    public async Task Every_form_of_signature_is_taken_and_none_over_other_bytes()
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var whsec = "whsec_" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        await ServiceAsync("default", new { secrets = new[] { Asking.Secret, whsec } });
        var forms = new Func<string, string, long, (string, string)[]>[]
        {
            (body, secret, at) => [("X-Hax-Signature", $"t={at},v1={Asking.Hex(secret, $"{at}.{body}")}")],
            (body, secret, at) => [("X-Webhook-Signature", $"t={at},v1={Asking.Hex("another", $"{at}.{body}")},v1={Asking.Hex(secret, $"{at}.{body}")}")],
            (body, secret, at) => [("Stripe-Signature", $"t={at},v1={Asking.Hex(secret, $"{at}.{body}")}")],
            (body, secret, _) => [("X-Hax-Signature", "sha256=" + Asking.Hex(secret, body))],
            (body, secret, _) => [("X-Webhook-Signature", "sha256=" + Asking.Hex(secret, body).ToUpperInvariant())],
            (body, secret, _) => [("X-Hub-Signature-256", "sha256=" + Asking.Hex(secret, body))],
            (body, secret, _) => [("X-Hax-Signature", Asking.Hex(secret, body))],
            (body, secret, _) => [("X-Webhook-Signature", Asking.Hex(secret, body).ToUpperInvariant())],
            (body, _, at) => [("webhook-id", "m"), ("webhook-timestamp", at.ToString()), ("webhook-signature", "v1," + Convert.ToBase64String(HMACSHA256.HashData(Convert.FromBase64String(whsec["whsec_".Length..]), Encoding.UTF8.GetBytes($"m.{at}.{body}"))))],
        };
        foreach (var (form, place) in forms.Select((f, i) => (f, i)))
        {
            var (run, _, request) = await _asking.WaitingAsync();
            var body = $$"""{"requestId":"{{request}}","decision":"approved"}""";
            var signed = form(body, Asking.Secret, now);
            var tampered = await SendAsync(body.Replace("approved", "rejected", StringComparison.Ordinal), signed);
            Assert.Equal((401, "{\"error\":\"invalid webhook signature\"}"), (tampered.Status, tampered.Text));
            Assert.NotNull(tampered.Header("WWW-Authenticate"));
            if (place != 8) Assert.Equal(401, (await SendAsync(body, form(body, "not the secret", now))).Status);
            Assert.Equal(401, (await SendAsync(body, [.. signed.Select(h => (h.Item1, h.Item2[..^1]))])).Status);
            if (place is 0 or 1 or 2 or 8)
            {
                Assert.Equal(401, (await SendAsync(body, form(body, Asking.Secret, now - 310))).Status);
                Assert.Equal(401, (await SendAsync(body, form(body, Asking.Secret, now + 400))).Status);
            }
            Assert.Equal("waiting", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
            Assert.True((await SendAsync(body, signed)).Status == 200, $"form {place}");
            // The same bytes again, overheard: they did what they do once.
            Assert.Equal("already_processed", (await SendAsync(body, signed)).String("status"));
        }
        // Two forms while a sender moves over; more are somebody who wants much work done.
        var (_, _, both) = await _asking.WaitingAsync();
        var twice = $$"""{"requestId":"{{both}}","decision":"approved"}""";
        Assert.Equal(401, (await SendAsync(twice, Asking.Sign(twice), ("X-Hub-Signature-256", "sha256=00"), ("Stripe-Signature", "t=1,v1=00"))).Status);
        Assert.Equal(200, (await SendAsync(twice, ("X-Webhook-Signature", "00"), Asking.Sign(twice))).Status);
        foreach (var headers in new (string, string)[][] { [], [("X-Hax-Signature", "")], [("Authorization", "Bearer " + _server.RootKey)], [("X-API-Key", _server.RootKey)], [("X-Callback-Secret", Asking.Secret)] })
        {
            var missing = await SendAsync("{}", headers);
            Assert.Equal((401, "{\"error\":\"missing webhook signature\"}"), (missing.Status, missing.Text));
        }
    }

    [Fact]
    public async Task An_overheard_message_does_nothing_to_a_later_round()
    {
        var (run, token, _) = await _asking.RunningAsync();
        await _asking.AskAsync(run, token, new { approval_request_id = "round-1" });
        var body = "{\"requestId\":\"round-1\",\"decision\":\"request_changes\"}";
        await _asking.SendAsync(body);
        await _asking.AskAsync(run, token, new { approval_request_id = "round-2" });
        for (var i = 0; i < 3; i++) Assert.Equal("already_processed", (await _asking.SendAsync(body)).String("status"));
        Assert.Equal("pending", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task Forms_without_an_instant_are_switched_off_by_service()
    {
        await ServiceAsync("default", new { secrets = new[] { Asking.Secret }, require_timestamp = true });
        var (_, _, request) = await _asking.WaitingAsync();
        var body = $$"""{"requestId":"{{request}}","decision":"approved"}""";
        foreach (var header in (string[])["X-Hax-Signature", "X-Hub-Signature-256"])
            Assert.Equal(401, (await SendAsync(body, (header, "sha256=" + Asking.Hex(Asking.Secret, body)))).Status);
        Assert.Equal(401, (await SendAsync(body, Asking.Sign(body))).Status);
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        Assert.Equal(200, (await SendAsync(body, ("X-Hax-Signature", $"t={now},v1={Asking.Hex(Asking.Secret, $"{now}.{body}")}"))).Status);

        // A service that signs in one form is believed in no other.
        await ServiceAsync("default", new { secrets = new[] { Asking.Secret }, schemes = new[] { "github" } });
        var (_, _, second) = await _asking.WaitingAsync();
        body = $$"""{"requestId":"{{second}}","decision":"approved"}""";
        Assert.Equal(401, (await SendAsync(body, Asking.Sign(body))).Status);
        Assert.Equal(401, (await SendAsync(body, ("X-Hax-Signature", $"t={now},v1={Asking.Hex(Asking.Secret, $"{now}.{body}")}"))).Status);
        Assert.Equal(200, (await SendAsync(body, ("X-Hub-Signature-256", "sha256=" + Asking.Hex(Asking.Secret, body)))).Status);
    }

    [Fact]
    public async Task A_public_key_is_no_secret_of_the_other_forms()
    {
        var key = "whpk_" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        await ServiceAsync("default", new { secrets = new[] { key } });
        var (_, _, request) = await _asking.WaitingAsync();
        var body = $$"""{"requestId":"{{request}}","decision":"approved"}""";
        Assert.Equal(401, (await SendAsync(body, Asking.Sign(body, key))).Status);
    }

    [Fact]
    public async Task Each_service_decides_its_own_questions_and_rotates_its_secrets()
    {
        await ServiceAsync("legal", new { secrets = new[] { "legal-1, of 24 characters" }, agents = new[] { "p" } });
        var (_, _, ours) = await _asking.WaitingAsync(new { service = "legal" });
        var (_, _, theirs) = await _asking.WaitingAsync();
        var foreign = await _asking.DecideAsync(ours, "approved");
        Assert.Equal((404, $"no execution found for approval request {ours}"), (foreign.Status, foreign.String("error")));
        Assert.Equal(foreign.Text.Replace(ours, "nothing", StringComparison.Ordinal), (await _asking.DecideAsync("nothing", "approved")).Text);
        Assert.Equal(404, (await _asking.DecideAsync(theirs, "approved", secret: "legal-1, of 24 characters")).Status);

        // Two live secrets while one is rotated; the old one ends with the put that leaves it out.
        await ServiceAsync("legal", new { secrets = new[] { "legal-2, of 24 characters", "legal-1, of 24 characters" }, agents = new[] { "p" } });
        Assert.Equal(200, (await _asking.DecideAsync(ours, "approved", secret: "legal-1, of 24 characters")).Status);
        Assert.Equal("already_processed", (await _asking.DecideAsync(ours, "approved", secret: "legal-2, of 24 characters")).String("status"));
        await ServiceAsync("legal", new { secrets = new[] { "legal-2, of 24 characters" } });
        Assert.Equal(401, (await _asking.DecideAsync(ours, "approved", secret: "legal-1, of 24 characters")).Status);

        // Narrowed to other agents, it decides nothing of this one any more.
        var (_, _, later) = await _asking.WaitingAsync(new { service = "legal" });
        await ServiceAsync("legal", new { secrets = new[] { "legal-2, of 24 characters" }, agents = new[] { "somebody" } });
        Assert.Equal(404, (await _asking.DecideAsync(later, "approved", secret: "legal-2, of 24 characters")).Status);
    }

    [Fact]
    public async Task A_project_of_its_own_has_services_of_its_own()
    {
        var other = await _server.PostAsync("/api/v1/projects", new { name = "other" });
        var (key, id) = (other.String("rootKey"), other.String("id"));
        await _server.SendAsync(HttpMethod.Put, "/api/v1/approval-services/default", key, new { secrets = new[] { "theirs, of 24 characters or more" } });
        var (_, _, request) = await _asking.WaitingAsync();
        var body = $$"""{"requestId":"{{request}}","decision":"approved"}""";
        Assert.Equal(401, (await SendAsync(body, Asking.Sign(body, "theirs, of 24 characters or more"))).Status);
        var theirs = await _server.SendAsync(HttpMethod.Post, $"{Door}/{id}", null, body, Asking.Sign(body, "theirs, of 24 characters or more"));
        Assert.Equal((404, $"no execution found for approval request {request}"), (theirs.Status, theirs.String("error")));
        Assert.Equal(401, (await _server.SendAsync(HttpMethod.Post, $"{Door}/{id}", null, body, Asking.Sign(body))).Status);
        // Of a project that is not there nothing is told.
        Assert.Equal(401, (await _server.SendAsync(HttpMethod.Post, Door + "/proj_none", null, body, Asking.Sign(body))).Status);
        Assert.Equal(200, (await _server.SendAsync(HttpMethod.Post, $"{Door}/{await _server.ProjectAsync()}", null, body, Asking.Sign(body))).Status);
    }

    [Fact]
    public async Task What_was_shown_must_be_what_was_asked_about()
    {
        var (run, token, _) = await _asking.RunningAsync();
        await _asking.AskAsync(run, token, new { approval_request_id = "h", payload_hash = "sha:1" });
        foreach (var body in (string[])["{\"requestId\":\"h\",\"decision\":\"approved\",\"payload_hash\":\"sha:2\"}", "{\"data\":{\"requestId\":\"h\",\"response\":{\"decision\":\"approved\",\"payload_hash\":\"sha:2\"}}}"])
        {
            var other = await _asking.SendAsync(body);
            Assert.Equal((409, "{\"error\":\"payload_mismatch\"}"), (other.Status, other.Text));
        }
        Assert.Equal("pending", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
        Assert.Equal(2, (await _asking.EventsAsync(run)).Count(e => e.TryGetProperty("code", out var code) && code.GetString() == "payload_mismatch"));
        Assert.Equal(200, (await _asking.SendAsync("{\"data\":{\"requestId\":\"h\",\"response\":{\"decision\":\"approved\",\"payload_hash\":\"sha:1\"}}}")).Status);
    }

    [Fact]
    public async Task A_body_over_a_mebibyte_is_413_before_anything_is_verified()
    {
        var big = await SendAsync(new string(' ', (1024 * 1024) + 1));
        Assert.Equal((413, "body_too_large"), (big.Status, big.String("error")));
        // At the limit it is verified and read.
        var body = "{\"requestId\":\"x\",\"decision\":\"approved\"}".PadRight(1024 * 1024);
        Assert.Equal(404, (await _asking.SendAsync(body)).Status);
    }

    [Fact]
    public async Task A_wrong_signature_writes_nothing_and_neither_secrets_nor_links_are_ever_shown()
    {
        var (_, token, claimed) = await _asking.RunningAsync();
        var run = claimed.GetProperty("run").GetProperty("id").GetString()!;
        var link = (await _asking.LinkAsync((await _asking.AskAsync(run, token, new { title = "t" })).String("approval_request_id"))).Split('/')[^1];
        var rows = await _server.CountRowsAsync();
        for (var i = 0; i < 20; i++) await SendAsync("{\"requestId\":\"x\",\"decision\":\"approved\"}", ("X-Hax-Signature", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))));
        Assert.Equal(rows, await _server.CountRowsAsync());
        var seen = string.Join('\n', (await _server.GetAsync("/api/v1/approval-services")).Text, (await _server.GetAsync("/api/v1/approval-services/default")).Text, (await _server.GetAsync("/api/v1/audit?limit=200")).Text, (await _server.GetAsync("/api/v1/events")).Text,
            (await _server.GetAsync("/api/v1/approvals")).Text, (await _server.GetAsync($"/api/v1/runs/{run}/events")).Text, _server.Log.Text);
        Assert.DoesNotContain(Asking.Secret, seen, StringComparison.Ordinal);
        Assert.DoesNotContain(link, seen, StringComparison.Ordinal);
        var stored = await _server.Database.ReadAsync(tx => tx.ListAsync("SELECT * FROM approval", r => string.Join('|', Enumerable.Range(0, r.FieldCount).Select(i => r.IsDBNull(i) ? "" : r.GetValue(i) is byte[] b ? Encoding.UTF8.GetString(b) : r.GetValue(i).ToString()))));
        Assert.DoesNotContain(link, string.Concat(stored), StringComparison.Ordinal);
        Assert.True((await _server.Database.ReadAsync(tx => tx.FirstAsync("SELECT sealed FROM approval_service", r => (byte[])r.GetValue(0))))!.AsSpan().IndexOf(Encoding.UTF8.GetBytes(Asking.Secret)) < 0);
    }

    [Theory]
    [InlineData("a b", "{\"secrets\":[\"a secret of 24 characters\"]}", "name")]
    [InlineData("x", "{}", "secrets is required")]
    [InlineData("x", "{\"secrets\":[]}", "secrets must hold one or two")]
    [InlineData("x", "{\"secrets\":[\"\"]}", "secrets[0]")]
    [InlineData("x", "{\"secrets\":[\"a\",\"b\",\"c\"]}", "secrets must have at most 2 items")]
    [InlineData("x", "{\"secrets\":[\"a secret of 24 characters\"],\"schemes\":[\"md5\"]}", "schemes are of")]
    [InlineData("x", "{\"secrets\":[\"a secret of 24 characters\"],\"schemes\":[]}", "schemes must hold at least one")]
    [InlineData("x", "{\"secrets\":[\"whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"],\"schemes\":[\"raw\"]}", "secrets hold a public key")]
    [InlineData("x", "{\"secrets\":[\"a secret of 24 characters\"],\"require_timestamp\":1}", "require_timestamp")]
    [InlineData("x", "{\"secrets\":[\"a secret of 24 characters\"],\"agents\":\"p\"}", "agents")]
    [InlineData("x", "{\"secrets\":[\"a secret of 24 characters\"],\"secret\":\"b\"}", "secret is not a known field")]
    [InlineData("x", "{\"secrets\":[\"x\"]}", "secrets[0] must have at least 24 characters")]
    [InlineData("x", "{\"secrets\":[\"whsec_\"]}", "secrets[0]")]
    [InlineData("x", "{\"secrets\":[\"whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]}", "secrets[0] must be whpk_ and an ed25519 public key in base 64: these bytes are no such key")]
    [InlineData("x", "{\"secrets\":[\"whpk_AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]}", "secrets[0] must be whpk_")]
    [InlineData("x", "{\"secrets\":[\"whpk_AAAA\"]}", "32 bytes")]
    [InlineData("x", "{\"secrets\":[\"a secret of 24 characters\\u0007\"]}", "secrets[0] must not hold control characters")]
    public async Task A_service_at_fault_names_its_field(string name, string body, string says)
    {
        var refused = await _server.SendAsync(HttpMethod.Put, "/api/v1/approval-services/" + Uri.EscapeDataString(name), _server.RootKey, body);
        Assert.True(refused.Status == 400 && refused.String("message").Contains(says, StringComparison.Ordinal), refused.ToString());
    }
}

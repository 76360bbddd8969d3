using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Postern.Support;

namespace Postern.Tests.Approvals;

/// <summary>
/// Approval services: the forms of their signatures, which questions each decides, and which services are allowed.
/// </summary>
public sealed class ApprovalServiceTests : ApprovalTest
{
    [Fact]
    public async Task Every_form_of_signature_is_taken_and_none_over_other_bytes()
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var whsec = "whsec_" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        await ServiceAsync("default", new { secrets = new[] { Asking.Secret, whsec } });
        var forms = new Func<string, string, long, (string, string)[]>[]
        {
            (body, secret, at) => [("X-Hax-Signature", $"t={at},v1={Asking.Hex(secret, $"{at}.{body}")}")],
            (body, secret, at) =>
                [
                    (
                        "X-Webhook-Signature",
                        $"t={at},v1={Asking.Hex("another", $"{at}.{body}")},v1={Asking.Hex(secret, $"{at}.{body}")}"
                    ),
                ],
            (body, secret, at) => [("Stripe-Signature", $"t={at},v1={Asking.Hex(secret, $"{at}.{body}")}")],
            (body, secret, _) => [("X-Hax-Signature", "sha256=" + Asking.Hex(secret, body))],
            (body, secret, _) => [("X-Webhook-Signature", "sha256=" + Asking.Hex(secret, body).ToUpperInvariant())],
            (body, secret, _) => [("X-Hub-Signature-256", "sha256=" + Asking.Hex(secret, body))],
            (body, secret, _) => [("X-Hax-Signature", Asking.Hex(secret, body))],
            (body, secret, _) => [("X-Webhook-Signature", Asking.Hex(secret, body).ToUpperInvariant())],
            (body, _, at) =>
                [
                    ("webhook-id", "m"),
                    ("webhook-timestamp", at.ToString()),
                    (
                        "webhook-signature",
                        "v1,"
                            + Convert.ToBase64String(
                                HMACSHA256.HashData(
                                    Convert.FromBase64String(whsec["whsec_".Length..]),
                                    Encoding.UTF8.GetBytes($"m.{at}.{body}")
                                )
                            )
                    ),
                ],
        };
        foreach (var (form, place) in forms.Select((f, i) => (f, i)))
        {
            var (run, _, request) = await _asking.WaitingAsync();
            var body = $$"""{"requestId":"{{request}}","decision":"approved"}""";
            var signed = form(body, Asking.Secret, now);
            var tampered = await SendAsync(body.Replace("approved", "rejected", StringComparison.Ordinal), signed);
            Assert.Equal((401, "{\"error\":\"invalid webhook signature\"}"), (tampered.Status, tampered.Text));
            Assert.NotNull(tampered.Header("WWW-Authenticate"));
            if (place != 8)
                Assert.Equal(401, (await SendAsync(body, form(body, "not the secret", now))).Status);
            Assert.Equal(401, (await SendAsync(body, [.. signed.Select(h => (h.Item1, h.Item2[..^1]))])).Status);
            if (place is 0 or 1 or 2 or 8)
            {
                Assert.Equal(401, (await SendAsync(body, form(body, Asking.Secret, now - 310))).Status);
                Assert.Equal(401, (await SendAsync(body, form(body, Asking.Secret, now + 400))).Status);
            }
            Assert.Equal("waiting", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
            Assert.True((await SendAsync(body, signed)).Status == 200, $"form {place}");
            // The same bytes again, recorded by somebody: they have no second effect.
            Assert.Equal("already_processed", (await SendAsync(body, signed)).String("status"));
        }
        // Two forms are allowed while a sender changes its form. More would only cause work.
        var (_, _, both) = await _asking.WaitingAsync();
        var twice = $$"""{"requestId":"{{both}}","decision":"approved"}""";
        Assert.Equal(
            401,
            (
                await SendAsync(
                    twice,
                    Asking.Sign(twice),
                    ("X-Hub-Signature-256", "sha256=00"),
                    ("Stripe-Signature", "t=1,v1=00")
                )
            ).Status
        );
        Assert.Equal(200, (await SendAsync(twice, ("X-Webhook-Signature", "00"), Asking.Sign(twice))).Status);
        foreach (
            var headers in new (string, string)[][]
            {
                [],
                [("X-Hax-Signature", "")],
                [("Authorization", "Bearer " + _server.RootKey)],
                [("X-API-Key", _server.RootKey)],
                [("X-Callback-Secret", Asking.Secret)],
            }
        )
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
        for (var i = 0; i < 3; i++)
            Assert.Equal("already_processed", (await _asking.SendAsync(body)).String("status"));
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
        Assert.Equal(
            200,
            (
                await SendAsync(body, ("X-Hax-Signature", $"t={now},v1={Asking.Hex(Asking.Secret, $"{now}.{body}")}"))
            ).Status
        );

        // A service with one form of signature is refused in any other.
        await ServiceAsync("default", new { secrets = new[] { Asking.Secret }, schemes = new[] { "github" } });
        var (_, _, second) = await _asking.WaitingAsync();
        body = $$"""{"requestId":"{{second}}","decision":"approved"}""";
        Assert.Equal(401, (await SendAsync(body, Asking.Sign(body))).Status);
        Assert.Equal(
            401,
            (
                await SendAsync(body, ("X-Hax-Signature", $"t={now},v1={Asking.Hex(Asking.Secret, $"{now}.{body}")}"))
            ).Status
        );
        Assert.Equal(
            200,
            (await SendAsync(body, ("X-Hub-Signature-256", "sha256=" + Asking.Hex(Asking.Secret, body)))).Status
        );
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
        Assert.Equal(
            (404, $"no execution found for approval request {ours}"),
            (foreign.Status, foreign.String("error"))
        );
        Assert.Equal(
            foreign.Text.Replace(ours, "nothing", StringComparison.Ordinal),
            (await _asking.DecideAsync("nothing", "approved")).Text
        );
        Assert.Equal(404, (await _asking.DecideAsync(theirs, "approved", secret: "legal-1, of 24 characters")).Status);

        // Two secrets are valid while one is rotated. The old one ends with the PUT that leaves it out.
        await ServiceAsync(
            "legal",
            new { secrets = new[] { "legal-2, of 24 characters", "legal-1, of 24 characters" }, agents = new[] { "p" } }
        );
        Assert.Equal(200, (await _asking.DecideAsync(ours, "approved", secret: "legal-1, of 24 characters")).Status);
        Assert.Equal(
            "already_processed",
            (await _asking.DecideAsync(ours, "approved", secret: "legal-2, of 24 characters")).String("status")
        );
        await ServiceAsync("legal", new { secrets = new[] { "legal-2, of 24 characters" } });
        Assert.Equal(401, (await _asking.DecideAsync(ours, "approved", secret: "legal-1, of 24 characters")).Status);

        // Limited to other agents, it decides nothing for this one.
        var (_, _, later) = await _asking.WaitingAsync(new { service = "legal" });
        await ServiceAsync(
            "legal",
            new { secrets = new[] { "legal-2, of 24 characters" }, agents = new[] { "somebody" } }
        );
        Assert.Equal(404, (await _asking.DecideAsync(later, "approved", secret: "legal-2, of 24 characters")).Status);
    }

    [Fact]
    public async Task A_project_of_its_own_has_services_of_its_own()
    {
        var other = await _server.PostAsync("/api/v1/projects", new { name = "other" });
        var (key, id) = (other.String("rootKey"), other.String("id"));
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/approval-services/default",
            key,
            new { secrets = new[] { "theirs, of 24 characters or more" } }
        );
        var (_, _, request) = await _asking.WaitingAsync();
        var body = $$"""{"requestId":"{{request}}","decision":"approved"}""";
        Assert.Equal(401, (await SendAsync(body, Asking.Sign(body, "theirs, of 24 characters or more"))).Status);
        var theirs = await _server.SendAsync(
            HttpMethod.Post,
            $"{Door}/{id}",
            null,
            body,
            Asking.Sign(body, "theirs, of 24 characters or more")
        );
        Assert.Equal(
            (404, $"no execution found for approval request {request}"),
            (theirs.Status, theirs.String("error"))
        );
        Assert.Equal(
            401,
            (await _server.SendAsync(HttpMethod.Post, $"{Door}/{id}", null, body, Asking.Sign(body))).Status
        );
        // Nothing is revealed about a project that does not exist.
        Assert.Equal(
            401,
            (await _server.SendAsync(HttpMethod.Post, Door + "/proj_none", null, body, Asking.Sign(body))).Status
        );
        Assert.Equal(
            200,
            (
                await _server.SendAsync(
                    HttpMethod.Post,
                    $"{Door}/{await _server.ProjectAsync()}",
                    null,
                    body,
                    Asking.Sign(body)
                )
            ).Status
        );
    }

    [Fact]
    public async Task The_shown_payload_must_be_the_questions_payload()
    {
        var (run, token, _) = await _asking.RunningAsync();
        await _asking.AskAsync(run, token, new { approval_request_id = "h", payload_hash = "sha:1" });
        foreach (
            var body in (string[])
                [
                    "{\"requestId\":\"h\",\"decision\":\"approved\",\"payload_hash\":\"sha:2\"}",
                    "{\"data\":{\"requestId\":\"h\",\"response\":{\"decision\":\"approved\","
                        + "\"payload_hash\":\"sha:2\"}}}",
                ]
        )
        {
            var other = await _asking.SendAsync(body);
            Assert.Equal((409, "{\"error\":\"payload_mismatch\"}"), (other.Status, other.Text));
        }
        Assert.Equal("pending", (await _asking.StatusAsync(run)).GetProperty("status").GetString());
        Assert.Equal(
            2,
            (await _asking.EventsAsync(run)).Count(e =>
                e.TryGetProperty("code", out var code) && code.GetString() == "payload_mismatch"
            )
        );
        Assert.Equal(
            200,
            (
                await _asking.SendAsync(
                    "{\"data\":{\"requestId\":\"h\",\"response\":{\"decision\":\"approved\","
                        + "\"payload_hash\":\"sha:1\"}}}"
                )
            ).Status
        );
    }

    [Fact]
    public async Task A_body_over_a_mebibyte_is_413_before_anything_is_verified()
    {
        var big = await SendAsync(new string(' ', (1024 * 1024) + 1));
        Assert.Equal((413, "body_too_large"), (big.Status, big.String("error")));
        // A body of the largest size is verified and read.
        var body = "{\"requestId\":\"x\",\"decision\":\"approved\"}".PadRight(1024 * 1024);
        Assert.Equal(404, (await _asking.SendAsync(body)).Status);
    }

    [Fact]
    public async Task A_wrong_signature_writes_nothing_and_neither_secrets_nor_links_are_ever_shown()
    {
        var (_, token, claimed) = await _asking.RunningAsync();
        var run = claimed.GetProperty("run").GetProperty("id").GetString()!;
        var link = (
            await _asking.LinkAsync(
                (await _asking.AskAsync(run, token, new { title = "t" })).String("approval_request_id")
            )
        ).Split('/')[^1];
        var rows = await _server.CountRowsAsync();
        for (var i = 0; i < 20; i++)
            await SendAsync(
                "{\"requestId\":\"x\",\"decision\":\"approved\"}",
                ("X-Hax-Signature", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)))
            );
        Assert.Equal(rows, await _server.CountRowsAsync());
        var seen = string.Join(
            '\n',
            (await _server.GetAsync("/api/v1/approval-services")).Text,
            (await _server.GetAsync("/api/v1/approval-services/default")).Text,
            (await _server.GetAsync("/api/v1/audit?limit=200")).Text,
            (await _server.GetAsync("/api/v1/events")).Text,
            (await _server.GetAsync("/api/v1/approvals")).Text,
            (await _server.GetAsync($"/api/v1/runs/{run}/events")).Text,
            _server.Log.Text
        );
        Assert.DoesNotContain(Asking.Secret, seen, StringComparison.Ordinal);
        Assert.DoesNotContain(link, seen, StringComparison.Ordinal);
        var stored = await _server.Database.ReadAsync(tx =>
            tx.ListAsync(
                "SELECT * FROM approval",
                r =>
                    string.Join(
                        '|',
                        Enumerable
                            .Range(0, r.FieldCount)
                            .Select(i =>
                                r.IsDBNull(i) ? ""
                                : r.GetValue(i) is byte[] b ? Encoding.UTF8.GetString(b)
                                : r.GetValue(i).ToString()
                            )
                    )
            )
        );
        Assert.DoesNotContain(link, string.Concat(stored), StringComparison.Ordinal);
        Assert.True(
            (
                await _server.Database.ReadAsync(tx =>
                    tx.FirstAsync("SELECT sealed FROM approval_service", r => (byte[])r.GetValue(0))
                )
            )!
                .AsSpan()
                .IndexOf(Encoding.UTF8.GetBytes(Asking.Secret)) < 0
        );
    }

    [Theory]
    [InlineData("a b", "{\"secrets\":[\"a secret of 24 characters\"]}", "name")]
    [InlineData("x", "{}", "secrets is required")]
    [InlineData("x", "{\"secrets\":[]}", "secrets must hold one or two")]
    [InlineData("x", "{\"secrets\":[\"\"]}", "secrets[0]")]
    [InlineData("x", "{\"secrets\":[\"a\",\"b\",\"c\"]}", "secrets must have at most 2 items")]
    [InlineData("x", "{\"secrets\":[\"a secret of 24 characters\"],\"schemes\":[\"md5\"]}", "schemes are of")]
    [InlineData("x", "{\"secrets\":[\"a secret of 24 characters\"],\"schemes\":[]}", "schemes must hold at least one")]
    [InlineData(
        "x",
        "{\"secrets\":[\"whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"],\"schemes\":[\"raw\"]}",
        "secrets hold a public key"
    )]
    [InlineData("x", "{\"secrets\":[\"a secret of 24 characters\"],\"require_timestamp\":1}", "require_timestamp")]
    [InlineData("x", "{\"secrets\":[\"a secret of 24 characters\"],\"agents\":\"p\"}", "agents")]
    [InlineData("x", "{\"secrets\":[\"a secret of 24 characters\"],\"secret\":\"b\"}", "secret is not a known field")]
    [InlineData("x", "{\"secrets\":[\"x\"]}", "secrets[0] must have at least 24 characters")]
    [InlineData("x", "{\"secrets\":[\"whsec_\"]}", "secrets[0]")]
    [InlineData(
        "x",
        "{\"secrets\":[\"whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]}",
        "secrets[0] must be whpk_ and an ed25519 public key in base 64: these bytes are no such key"
    )]
    [InlineData(
        "x",
        "{\"secrets\":[\"whpk_AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]}",
        "secrets[0] must be whpk_"
    )]
    [InlineData("x", "{\"secrets\":[\"whpk_AAAA\"]}", "32 bytes")]
    [InlineData(
        "x",
        "{\"secrets\":[\"a secret of 24 characters\\u0007\"]}",
        "secrets[0] must not hold control characters"
    )]
    public async Task A_service_at_fault_names_its_field(string name, string body, string says)
    {
        var refused = await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/approval-services/" + Uri.EscapeDataString(name),
            _server.RootKey,
            body
        );
        Assert.True(
            refused.Status == 400 && refused.String("message").Contains(says, StringComparison.Ordinal),
            refused.ToString()
        );
    }
}

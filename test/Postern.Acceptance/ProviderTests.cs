using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Inbound requests that providers' own npm libraries have signed: valid, tampered, stale, repeated, and with a secret
/// that is being rotated.
/// </summary>
public sealed class ProviderTests : IAsyncLifetime
{
    private static readonly string[] Timed = ["standard", "svix", "stripe", "slack", "zoom", "hmac"];
    private const string Body = "{\"id\":\"evt_1\",\"text\":\"grüße €\"}";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", _server.RootKey, new { kind = "pull" });
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData(
        "standard",
        "standard",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    )]
    [InlineData("svix", "standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    [InlineData("stripe", "stripe", "whsec_stripes_are_texts", "whsec_another_text")]
    [InlineData("github", "github", "It's a Secret to Everybody", "another secret")]
    [InlineData("slack", "slack", "8f742231b10e8888abcd99yyyzzz85a5", "another secret")]
    [InlineData("gitlab", "gitlab", "a-token-of-lab", "another-token")]
    [InlineData("svix", "svix", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    [InlineData("shopify", "shopify", "shpss_8f742231b10e8888abcd99", "another secret")]
    [InlineData("linear", "linear", "lin_wh_8f742231b10e8888abcd", "another secret")]
    [InlineData("pagerduty", "pagerduty", "8f742231b10e8888abcd99yyyzzz85a5", "another secret")]
    [InlineData("typeform", "typeform", "8f742231b10e8888abcd99yyyzzz85a5", "another secret")]
    [InlineData("sentry", "sentry", "8f742231b10e8888abcd99yyyzzz85a5", "another secret")]
    [InlineData("zoom", "zoom", "8f742231b10e8888abcd99yyyzzz85a5", "another secret")]
    [InlineData("hmac", "hmac", "8f742231b10e8888abcd99yyyzzz85a5", "another secret of 24 characters")]
    public async Task Only_the_provider_is_believed(string signer, string scheme, string secret, string newSecret)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        await ConfigureAsync(scheme, secret);
        var headers = await SignAsync(signer, secret, now, Body);
        var valid = await SendAsync(Body, headers);
        Assert.True(valid.Status == 200, valid.ToString());
        var first = valid.Json.GetProperty("data").GetProperty("requestId").GetString();

        // The same message again does nothing, except for the scheme without messages.
        var repeated = (await SendAsync(Body, headers)).Json.GetProperty("data");
        Assert.Equal(scheme != "gitlab", repeated.TryGetProperty("duplicate", out _));
        if (scheme != "gitlab")
            Assert.Equal(first, repeated.GetProperty("requestId").GetString());
        // An overheard message, sent again with another id: the signed part decides, if the scheme signs anything of
        // it.
        if (scheme != "gitlab")
            foreach (var made in (string[])["X-GitHub-Delivery", "Idempotency-Key", "X-Shopify-Webhook-Id"])
                Assert.Equal(
                    first,
                    (await SendAsync(Body, [.. headers, (made, Guid.NewGuid().ToString())]))
                        .Json.GetProperty("data")
                        .GetProperty("requestId")
                        .GetString()
                );

        if (scheme != "gitlab")
            Assert.Equal(
                401,
                (await SendAsync(Body.Replace("evt_1", "evt_2", StringComparison.Ordinal), headers)).Status
            );
        Assert.Equal(401, (await SendAsync(Body, await SignAsync(signer, newSecret, now, Body))).Status);
        Assert.Equal(401, (await SendAsync(Body, [])).Status);
        Assert.Equal(401, (await SendAsync(Body, [.. headers.Select(h => (h.Name, h.Value[..^1]))])).Status);
        Assert.Equal(401, (await SendAsync(Body, [.. headers.Select(h => (h.Name, ""))])).Status);
        if (Timed.Contains(scheme))
        {
            Assert.Equal(401, (await SendAsync(Body, await SignAsync(signer, secret, now - 301, Body))).Status);
            Assert.Equal(401, (await SendAsync(Body, await SignAsync(signer, secret, now + 360, Body))).Status);
            Assert.Equal(200, (await SendAsync(Body, await SignAsync(signer, secret, now - 250, Body))).Status);
        }

        await ConfigureAsync(scheme, newSecret, secret);
        Assert.Equal(200, (await SendAsync(Body, await SignAsync(signer, secret, now + 1, Body))).Status);
        Assert.Equal(200, (await SendAsync(Body, await SignAsync(signer, newSecret, now + 2, Body))).Status);
        await ConfigureAsync(scheme, newSecret);
        Assert.Equal(401, (await SendAsync(Body, await SignAsync(signer, secret, now + 3, Body))).Status);
    }

    [Theory]
    [InlineData("standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    [InlineData("svix", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    [InlineData("stripe", "whsec_stripes_are_texts_of_24_characters")]
    [InlineData("github", "It's a Secret to Everybody")]
    [InlineData("ed25519", "-")]
    public async Task An_approval_service_is_believed_however_its_library_signs(string signer, string secret)
    {
        var asking = await Asking.PrepareAsync(_server);
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var (run, _, request) = await asking.WaitingAsync();
        var body = JsonSerializer.Serialize(
            new
            {
                requestId = request,
                decision = "approved",
                feedback = "grüße €",
            }
        );
        var signed = await SignAsync(signer, secret, now, body);
        if (signer == "ed25519")
            secret = signed.Single(h => h.Name == "secret").Value;
        signed = [.. signed.Where(h => h.Name != "secret")];
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/approval-services/default",
            _server.RootKey,
            new { secrets = new[] { "the one before, of 24 characters", secret } }
        );
        Assert.Equal(401, (await DecideAsync(body + " ", signed)).Status);
        Assert.Equal(401, (await DecideAsync(body, [.. signed.Select(h => (h.Name, h.Value[..^1]))])).Status);
        var taken = await DecideAsync(body, signed);
        Assert.True(taken.Status == 200 && taken.String("status") == "processed", taken.ToString());
        Assert.Equal("grüße €", (await asking.StatusAsync(run)).GetProperty("feedback").GetString());

        Task<Answer> DecideAsync(string text, (string Name, string Value)[] headers) =>
            _server.SendAsync(
                HttpMethod.Post,
                "/api/v1/webhooks/approval-response",
                null,
                Encoding.UTF8.GetBytes(text),
                headers
            );
    }

    /// <summary>The libraries sign with a callback secret or token unmodified: whsec_ and its base64.</summary>
    [Theory]
    [InlineData("standard")]
    [InlineData("svix")]
    public async Task A_callback_is_believed_however_a_library_signs_it(string signer)
    {
        var pipeline = await Pipeline.PutAsync(_server);
        var job = await pipeline.JobAsync();
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var body = JsonSerializer.Serialize(pipeline.Body("UPLOADING"));
        var path = $"/internal/jobs/{job}/status";
        var signed = await SignAsync(signer, KeyOf(pipeline.Secret), now, body, $"{job}:e-1");
        Assert.Equal(401, (await CallAsync(path, body + " ", signed)).Status);
        Assert.Equal(204, (await CallAsync(path, body, signed)).Status);
        Assert.Equal(200, (await CallAsync(path, body, signed)).Status);

        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "idle" })).String("id");
        var claimed = await _server.PostAsync("/api/v1/agents/idle/claim", new { waitSeconds = 10 });
        var headers = claimed.Json.GetProperty("data")[0].GetProperty("callback").GetProperty("headers");
        var token = headers.GetProperty("X-Callback-Token").GetString()!;
        (string, string)[] named =
        [
            .. headers
                .EnumerateObject()
                .Where(h => h.Name != "X-Callback-Token")
                .Select(h => (h.Name, h.Value.GetString()!)),
        ];
        const string end = "{\"status\":\"succeeded\",\"output\":\"grüße €\"}";
        signed = await SignAsync(signer, KeyOf(token), now, end, $"{run}:end");
        path = $"/api/v1/runs/{run}/status";
        Assert.Equal(401, (await CallAsync(path, end, [.. signed, .. named, ("x-run-attempt", "2")])).Status);
        Assert.Equal(200, (await CallAsync(path, end, [.. signed, .. named])).Status);
        Assert.Equal("true", (await CallAsync(path, end, [.. signed, .. named])).Header("Idempotency-Replayed"));

        static string KeyOf(string secret) => "whsec_" + Convert.ToBase64String(Encoding.UTF8.GetBytes(secret));

        Task<Answer> CallAsync(string to, string text, (string, string)[] with) =>
            _server.SendAsync(
                HttpMethod.Post,
                to,
                null,
                Encoding.UTF8.GetBytes(text),
                [.. with, ("Content-Type", "application/json")]
            );
    }

    [Fact]
    public async Task A_public_key_verifies_and_another_does_not()
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var headers = await SignAsync("ed25519", "-", now, Body);
        await ConfigureAsync("standard", headers.Single(h => h.Name == "secret").Value);
        var sent = headers.Where(h => h.Name != "secret").ToArray();
        Assert.Equal(200, (await SendAsync(Body, sent)).Status);
        Assert.Equal(401, (await SendAsync(Body + " ", sent)).Status);
        var other = await SignAsync("ed25519", "-", now, Body);
        Assert.Equal(401, (await SendAsync(Body, [.. other.Where(h => h.Name != "secret")])).Status);
    }

    [Theory]
    [InlineData("t=1,t=1,v1=00")]
    [InlineData("t=,v1=00")]
    [InlineData("t=1e9,v1=00")]
    [InlineData("v1=00")]
    [InlineData("t=NOW")]
    [InlineData("t=NOW,v1=")]
    [InlineData("t=NOW,v1=zz")]
    [InlineData("t= NOW,v1=00")]
    public async Task A_timed_header_that_is_not_one_is_refused(string header)
    {
        await ConfigureAsync("stripe", "a secret of stripe");
        Assert.Equal(
            401,
            (
                await SendAsync(
                    Body,
                    [
                        (
                            "Stripe-Signature",
                            header.Replace(
                                "NOW",
                                DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString(),
                                StringComparison.Ordinal
                            )
                        ),
                    ]
                )
            ).Status
        );
    }

    private async Task ConfigureAsync(string scheme, params string[] secrets)
    {
        var made = await _server.PostAsync(
            "/api/triggers/user/u/t",
            new
            {
                agent = "idle",
                promptTemplate = "{{body.text}}",
                maxInFlight = 1000,
                webhookAuth = scheme == "hmac" ? Described(secrets) : new { scheme, secrets },
            }
        );
        Assert.True(made.Status == 201, made.ToString());
    }

    /// <summary>A sender without a row of its own.</summary>
    private static object Described(string[] secrets) =>
        new
        {
            scheme = "hmac",
            secrets,
            header = "X-Acme-Signature",
            prefix = "v2=",
            algorithm = "sha512",
            encoding = "base64",
            signed = "{id}:{timestamp}:{body}",
            timestampHeader = "X-Acme-Time",
            idHeader = "X-Acme-Id",
        };

    [Fact]
    public async Task Discord_is_believed_by_its_public_key()
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var headers = await SignAsync("discord", "-", now, Body);
        await ConfigureAsync("discord", headers.Single(h => h.Name == "secret").Value);
        (string Name, string Value)[] sent = [.. headers.Where(h => h.Name != "secret")];
        Assert.Equal(200, (await SendAsync(Body, sent)).Status);
        Assert.True((await SendAsync(Body, sent)).Json.GetProperty("data").GetProperty("duplicate").GetBoolean());
        Assert.Equal(401, (await SendAsync(Body + " ", sent)).Status);
        Assert.Equal(
            401,
            (
                await SendAsync(
                    Body,
                    [.. sent.Select(h => h.Name == "X-Signature-Timestamp" ? (h.Name, $"{now + 1}") : h)]
                )
            ).Status
        );
        Assert.Equal(
            401,
            (
                await SendAsync(
                    Body,
                    [.. (await SignAsync("discord", "-", now - 400, Body)).Where(h => h.Name != "secret")]
                )
            ).Status
        );
    }

    private Task<Answer> SendAsync(string body, (string Name, string Value)[] headers) =>
        _server.SendAsync(HttpMethod.Post, "/inbound/user/u/t", null, Encoding.UTF8.GetBytes(body), headers);

    private static async Task<(string Name, string Value)[]> SignAsync(
        string signer,
        string secret,
        long timestamp,
        string body,
        string? id = null
    )
    {
        var start = new System.Diagnostics.ProcessStartInfo(Repository.Node)
        {
            WorkingDirectory = Repository.File("test/Postern.Acceptance/clients"),
            RedirectStandardOutput = true,
        };
        foreach (var argument in (string[])["sign.mjs", signer, secret, timestamp.ToString(), body])
            start.ArgumentList.Add(argument);
        if (id is not null)
            start.ArgumentList.Add(id);
        using var node = System.Diagnostics.Process.Start(start)!;
        var text = await node.StandardOutput.ReadToEndAsync();
        return [.. JsonSerializer.Deserialize<Dictionary<string, string>>(text)!.Select(h => (h.Key, h.Value))];
    }
}

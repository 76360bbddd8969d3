using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Postern.Access;
using Postern.Support;

namespace Postern.Tests.Access;

/// <summary>Signature schemes: each is a row, and the hashing before a credential is known is limited.</summary>
public sealed class SignatureTests
{
    private const long Now = 1_800_000_000;
    private const string Secret = "a secret of at least 24 characters";

    [Fact]
    public void Every_scheme_of_the_table_hides_its_headers_and_stands_in_the_documents()
    {
        var documents = File.ReadAllText(Repository.File("docs/triggers.md"));
        foreach (var scheme in SignatureScheme.All)
        {
            if (scheme.Name != SignatureScheme.HeaderSecret)
                Assert.Contains($"`{scheme.Name}`", documents, StringComparison.Ordinal);
            var headers = new HeaderDictionary();
            foreach (var header in scheme.Headers)
                headers[header] = "what only the sender knows";
            foreach (var (name, kept) in Postern.Triggers.Redaction.Of(headers, null))
                Assert.True(kept == Postern.Triggers.Redaction.Redacted, $"{scheme.Name}: {name}");
            foreach (
                var header in scheme.Headers.Where(h =>
                    !h.StartsWith("X-Hax", StringComparison.Ordinal)
                    && !h.StartsWith("X-Webhook", StringComparison.Ordinal)
                )
            )
                Assert.Contains(header, documents, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Theory]
    [InlineData("1799990000.{\"a\":1}")]
    [InlineData("1.")]
    [InlineData("12345678901234567890.x")]
    public void A_timed_message_without_its_time_is_no_untimed_one(string body)
    {
        var hub = new HeaderDictionary { ["X-Hub-Signature-256"] = "sha256=" + Hex(Secret, body) };
        Assert.False(Verify("sha256", hub, body).IsValid);
        // A sender that signs no other form may send such a body.
        Assert.True(Verify("github", hub, body).IsValid);
        var service = new ApprovalService("p", "s", [Secret], SignatureForm.All, false, null, 0, 0);
        Assert.False(
            Signatures.IsBy(service, Signatures.FormsOf(hub), hub, Encoding.UTF8.GetBytes(body), Now * 1_000_000)
        );
        Assert.True(
            Signatures.IsBy(
                service with
                {
                    Forms = [SignatureForm.Sha256],
                },
                Signatures.FormsOf(hub),
                hub,
                Encoding.UTF8.GetBytes(body),
                Now * 1_000_000
            )
        );
    }

    [Fact]
    public void The_boundary_of_what_is_signed_cannot_be_moved_into_the_id()
    {
        const string key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        var mac = Convert.ToBase64String(
            HMACSHA256.HashData(Convert.FromBase64String(key[6..]), Encoding.UTF8.GetBytes($"x.{Now}.{Now}.{{}}"))
        );
        var whole = new HeaderDictionary
        {
            ["webhook-id"] = "x",
            ["webhook-timestamp"] = $"{Now}",
            ["webhook-signature"] = "v1," + mac,
        };
        Assert.True(Verify("standard", whole, $"{Now}.{{}}", key).IsValid);
        var moved = new HeaderDictionary
        {
            ["webhook-id"] = $"x.{Now}",
            ["webhook-timestamp"] = $"{Now}",
            ["webhook-signature"] = "v1," + mac,
        };
        Assert.False(Verify("standard", moved, "{}", key).IsValid);
    }

    [Fact]
    public void A_stranger_is_given_one_hash_a_secret_and_few_of_those()
    {
        var body = new byte[1024 * 1024];
        var candidates = string.Join(' ', Enumerable.Repeat("v1," + Convert.ToBase64String(new byte[32]), 16));
        var keys = string.Join(' ', Enumerable.Repeat("v1a," + Convert.ToBase64String(new byte[64]), 16));
        var headers = new HeaderDictionary
        {
            ["webhook-id"] = "x",
            ["webhook-timestamp"] = $"{Now}",
            ["webhook-signature"] = candidates,
        };
        // Measured by allocation and the time of a single secret: sixteen candidates cost the same as one.
        var one = new HeaderDictionary
        {
            ["webhook-id"] = "x",
            ["webhook-timestamp"] = $"{Now}",
            ["webhook-signature"] = "v1," + Convert.ToBase64String(new byte[32]),
        };
        var rule = new SignatureRule(
            SignatureScheme.Of("standard")!,
            [.. Enumerable.Repeat("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 100)]
        );
        var (many, single) = (Allocated(rule, headers, body), Allocated(rule, one, body));
        Assert.InRange(many, 0, single + 64 * 1024);
        Assert.InRange(many, 0, 2 * 1024 * 1024);
        headers["webhook-signature"] = keys;
        Assert.False(Signatures.Verify(rule, headers, body, Now * 1_000_000).IsValid);
    }

    [Fact]
    public async Task Too_many_who_wait_for_a_verification_are_told_to_come_again()
    {
        using var places = new VerificationPlaces();
        using var held = new ManualResetEventSlim();
        var running = Enumerable
            .Range(0, 200)
            .Select(_ =>
                Task.Run(async () =>
                    await places.VerifyAsync(
                        1024 * 1024,
                        40,
                        () =>
                        {
                            held.Wait();
                            return "done";
                        },
                        default
                    )
                )
            )
            .ToList();
        await WaitFor.TrueAsync(() =>
            Task.FromResult(running.Count(r => r.IsCompletedSuccessfully && r.Result is null) >= 100)
        );
        // A cheap verification does not wait.
        Assert.Equal("cheap", await places.VerifyAsync(100, 2, () => "cheap", default));
        held.Set();
        var answers = await Task.WhenAll(running);
        Assert.Contains("done", answers);
        Assert.InRange(answers.Count(a => a is null), 100, 199);
    }

    [Theory]
    [InlineData("github", "short", "secret must have at least 8 characters")]
    [InlineData("github", "line end\n", null)]
    [InlineData("github", "line\nend", "must not hold control characters")]
    [InlineData("gitlab", " a token with a space", "must not begin or end with a space")]
    [InlineData("standard", "whsec_", "must be whsec_")]
    [InlineData("standard", "whsec_AAAA", "must be whsec_")]
    [InlineData("standard", "a text", "must be whsec_")]
    [InlineData("standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\r\n", null)]
    [InlineData("standard", "whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "everybody could sign for")]
    [InlineData(
        "discord",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "everybody could sign for"
    )]
    [InlineData(
        "discord",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "everybody could sign for"
    )]
    [InlineData("discord", "xyz", "must be an ed25519 public key in hex")]
    [InlineData("hmac", "of 23 characters, alas!", "secret must have at least 24 characters")]
    public void A_secret_that_can_never_match_or_keeps_nobody_out_is_refused_when_it_is_set(
        string scheme,
        string secret,
        string? says
    )
    {
        var (kept, problem) = SignatureScheme.Of(scheme)!.Secret.Check(secret);
        if (says is null)
            Assert.Equal((null, secret.TrimEnd('\r', '\n')), (problem, kept));
        else
            Assert.Contains(says.Replace("secret ", "", StringComparison.Ordinal), problem, StringComparison.Ordinal);
    }

    private static long Allocated(SignatureRule rule, HeaderDictionary headers, byte[] body)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.False(Signatures.Verify(rule, headers, body, Now * 1_000_000).IsValid);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static SignatureAnswer Verify(
        string scheme,
        HeaderDictionary headers,
        string body,
        string secret = Secret
    ) =>
        Signatures.Verify(
            new SignatureRule(SignatureScheme.Of(scheme)!, [secret]),
            headers,
            Encoding.UTF8.GetBytes(body),
            Now * 1_000_000
        );

    private static string Hex(string secret, string text) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(text)));
}

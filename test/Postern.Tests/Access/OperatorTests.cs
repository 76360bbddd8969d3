using Postern.Support;

namespace Postern.Tests.Access;

/// <summary>
/// Identities from a trusted proxy: believed from its network, narrowed by what they request, never more than their
/// role.
/// </summary>
public sealed class OperatorTests
{
    private static Task<TestServer> StartAsync(params string[] trusted) =>
        TestServer.StartAsync(set: o =>
        {
            o.Operators.TrustedProxies = trusted;
            o.Operators.Roles["ada"] = "operator.admin";
            o.Operators.Roles["eve"] = "operator.sessions.read";
            o.Operators.Roles["bob"] = "operator.approvals";
        });

    [Fact]
    public async Task A_trusted_proxys_identity_has_the_scopes_of_its_role()
    {
        await using var server = await StartAsync("127.0.0.0/8");
        await server.PostAsync("/sessions/s/messages", new { role = "user", content = "hello" });
        Assert.Equal(200, (await server.GetAsync("/sessions/s/history", "", ("X-Forwarded-User", "eve"))).Status);
        Assert.Equal(200, (await server.GetAsync("/sessions/s/history", "", ("X-Forwarded-User", "somebody"))).Status);
        var none = await server.GetAsync("/sessions/s/history", "", ("X-Forwarded-User", "bob"));
        Assert.Equal(403, none.Status);
        Assert.Equal(
            "{\"ok\":false,\"error\":{\"type\":\"forbidden\",\"message\":\"missing scope: operator.read\","
                + "\"details\":{\"code\":\"MISSING_SCOPE\",\"missingScope\":\"operator.read\","
                + "\"requiredScopes\":[\"operator.read\"]}}}",
            none.Text
        );
        Assert.Equal(
            "missing scope: operator.write",
            (
                await server.PostAsync(
                    "/sessions/s/messages",
                    new { role = "user", content = "x" },
                    "",
                    ("X-Forwarded-User", "eve")
                )
            )
                .Json.GetProperty("error")
                .GetProperty("message")
                .GetString()
        );
        Assert.Equal(
            201,
            (
                await server.PostAsync(
                    "/sessions/s/messages",
                    new { role = "user", content = "x" },
                    "",
                    ("X-Forwarded-User", "ada")
                )
            ).Status
        );
    }

    [Fact]
    public async Task An_identity_is_narrowed_by_what_it_asks_for_and_never_widened()
    {
        await using var server = await StartAsync("127.0.0.0/8");
        await server.PostAsync("/sessions/s/messages", new { role = "user", content = "hello" });
        Assert.Equal(
            403,
            (
                await server.GetAsync("/sessions/s/history", "", ("X-Forwarded-User", "ada"), ("x-postern-scopes", ""))
            ).Status
        );
        Assert.Equal(
            403,
            (
                await server.PostAsync(
                    "/sessions/s/messages",
                    new { role = "user", content = "x" },
                    "",
                    ("X-Forwarded-User", "ada"),
                    ("x-openclaw-scopes", "operator.read")
                )
            ).Status
        );
        Assert.Equal(
            200,
            (
                await server.GetAsync(
                    "/sessions/s/history",
                    "",
                    ("X-Forwarded-User", "ada"),
                    ("x-openclaw-scopes", "operator.read")
                )
            ).Status
        );
        Assert.Equal(
            403,
            (
                await server.PostAsync(
                    "/sessions/s/kill",
                    null,
                    "",
                    ("X-Forwarded-User", "eve"),
                    ("x-openclaw-scopes", "operator.admin")
                )
            ).Status
        );
        // With a key these headers mean nothing.
        Assert.Equal(
            200,
            (await server.GetAsync("/sessions/s/history", server.RootKey, ("x-openclaw-scopes", ""))).Status
        );
    }

    [Fact]
    public async Task Direct_callers_that_send_proxy_headers_are_not_believed()
    {
        await using var server = await StartAsync("10.9.0.0/16");
        await server.PostAsync("/sessions/s/messages", new { role = "user", content = "hello" });
        Assert.Equal(401, (await server.GetAsync("/sessions/s/history", "", ("X-Forwarded-User", "ada"))).Status);
    }

    [Fact]
    public async Task Kill_takes_an_explicit_grant()
    {
        await using var server = await StartAsync("127.0.0.0/8");
        await server.StartSessionAsync("s");
        foreach (
            var credential in new[]
            {
                server.RootKey,
                await server.KeyAsync(),
                await server.KeyAsync("write:sessions", "read:all"),
            }
        )
        {
            var refused = await server.PostAsync(
                "/sessions/s/kill",
                null,
                credential,
                ("x-openclaw-scopes", "operator.admin")
            );
            Assert.Equal(
                (403, "missing scope: operator.admin"),
                (refused.Status, refused.Json.GetProperty("error").GetProperty("message").GetString())
            );
        }
        Assert.Equal(
            "{\"ok\":true,\"killed\":true}",
            (await server.PostAsync("/sessions/s/kill", null, await server.KeyAsync("admin"))).Text
        );
        Assert.Equal(
            "{\"ok\":true,\"killed\":false}",
            (await server.PostAsync("/sessions/s/kill", null, await server.TokenAsync("admin"))).Text
        );
        Assert.Equal(
            "{\"ok\":true,\"killed\":false}",
            (
                await server.PostAsync(
                    "/sessions/s/kill",
                    null,
                    "",
                    ("X-Forwarded-User", "ada"),
                    ("Sec-Fetch-Site", "same-origin")
                )
            ).Text
        );
    }
}

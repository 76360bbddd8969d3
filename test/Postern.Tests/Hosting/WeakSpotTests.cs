using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Hosting;
using Postern.Settings;
using Postern.Support;
using Postern.Triggers;

namespace Postern.Tests.Hosting;

/// <summary>The findings of the doctor about things that work, but are weak.</summary>
public sealed class WeakSpotTests
{
    [Fact]
    public void Settings_as_they_stand_have_no_weak_spot() =>
        Assert.Empty(WeakSpots.OfSettings(new PosternOptions(), "Host=db.example.com;Database=postern"));

    [Fact]
    public void Settings_that_open_something_are_named()
    {
        var options = new PosternOptions();
        options.Outbound.HttpsOnly = false;
        options.Outbound.AllowedNetworks = ["10.0.0.0/8", "0.0.0.0/0"];
        options.Approvals.DangerousSelfApprovalProjects = ["default"];
        var spots = WeakSpots.OfSettings(options, "Host=db.example.com;SSL Mode=Prefer");
        var words = string.Join('\n', spots.Select(s => s.Message));
        foreach (
            var says in (string[])
                ["Outbound:HttpsOnly", "0.0.0.0/0", "Approvals:DangerousSelfApprovalProjects", "SSL Mode=VerifyFull"]
        )
            Assert.Contains(says, words, StringComparison.Ordinal);
        Assert.DoesNotContain("10.0.0.0/8", words, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Agents_and_endpoints_that_an_older_version_took_with_plain_http_are_named_without_their_paths(
        Backend backend
    )
    {
        // The default of a server of 0.3.0: plain http to any address.
        await using var server = await TestServer.StartAsync(backend, o => o.Outbound.HttpsOnly = false);
        await PutAsync("agents/outside", new { kind = "http", url = "http://8.8.8.8/secret-path" });
        await PutAsync("agents/safe", new { kind = "http", url = "https://8.8.8.8/" });
        await PutAsync("webhook-endpoints/inside", new { url = "http://127.0.0.1:9/x", events = new[] { "*" } });
        var options = new PosternOptions();
        options.Outbound.AllowedNetworks = ["127.0.0.0/8"];
        var spots = await WeakSpots.OfRowsAsync(server.Database, options, Dns.GetHostAddressesAsync, default);
        Assert.Equal(2, spots.Count);
        Assert.StartsWith("agent outside: http://8.8.8.8 must be https", spots[0].Message, StringComparison.Ordinal);
        Assert.StartsWith(
            "webhook endpoint inside: http://127.0.0.1:9 is plain",
            spots[1].Message,
            StringComparison.Ordinal
        );
        Assert.All(spots, spot => Assert.DoesNotContain("secret-path", spot.Message, StringComparison.Ordinal));

        async Task PutAsync(string what, object body) =>
            Assert.Equal(201, (await server.SendAsync(HttpMethod.Put, "/api/v1/" + what, server.RootKey, body)).Status);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Secrets_that_an_older_version_took_are_named_and_not_shown(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var master = server.App.Services.GetRequiredService<MasterKey>();
        foreach (var id in (string[])["weak", "good"])
            Assert.Equal(
                201,
                (
                    await server.SendAsync(
                        HttpMethod.Post,
                        "/api/triggers/user/me/" + id,
                        server.RootKey,
                        new
                        {
                            agent = "echo",
                            promptTemplate = "x",
                            webhookAuth = new { scheme = "sha256", secret = "a secret that is long enough" },
                        }
                    )
                ).Status
            );
        Assert.Equal(
            201,
            (
                await server.SendAsync(
                    HttpMethod.Put,
                    "/api/v1/approval-services/people",
                    server.RootKey,
                    new { secrets = new[] { "a secret that is long enough" } }
                )
            ).Status
        );
        await server.Database.WriteAsync(async tx =>
        {
            var (project, uid) = await tx.FirstAsync(
                "SELECT project, uid FROM agent_trigger WHERE id = 'weak'",
                r => (r.GetString(0), r.GetString(1))
            );
            await tx.ExecuteAsync(
                "UPDATE agent_trigger SET auth_sealed = $1 WHERE uid = $2",
                master.Protect("[\"k\"]", Trigger.SealPurpose(project, uid)),
                uid
            );
            return await tx.ExecuteAsync(
                "UPDATE approval_service SET sealed = $1",
                master.Protect("[\"short-one\"]", ApprovalServices.SealPurpose(project, "people"))
            );
        });
        var spots = await WeakSpots.OfSecretsAsync(server.Database, master);
        Assert.Equal(
            [
                "trigger user/me/weak: its secret must have at least 8 characters; put it again with another",
                "approval service people: its secret must have at least 24 characters; put it again with another",
            ],
            spots.Select(s => s.Message)
        );
    }
}

using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Chaos;

/// <summary>
/// What the actors share: the way to the server, credentials, and things that one leaves for another.
/// </summary>
internal sealed class World(Cluster cluster, Plan plan, Ledger ledger, Caller caller, Outside outside)
{
    public const string Secret = "a secret of the simulation, long enough";

    public Cluster Cluster => cluster;
    public Plan Plan => plan;
    public Ledger Ledger => ledger;
    public Caller Caller => caller;
    public Outside Outside => outside;
    public string Root { get; private set; } = "";
    public string Decider { get; private set; } = "";
    public string CallbackSecret { get; private set; } = "";

    /// <summary>Sessions for followers.</summary>
    public ConcurrentQueue<string> Sessions { get; } = new();

    /// <summary>The runs whose questions wait for a person.</summary>
    public ConcurrentQueue<(string Run, string Approval)> Questions { get; } = new();

    public static string Sign(string body) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(body)));

    /// <summary>Creates agents, endpoints, triggers, services and keys, before any fault.</summary>
    public async Task SetUpAsync()
    {
        Root = cluster.Nodes[0].RootKey;
        var database = cluster.DatabaseDirectly is { } direct ? $" --database \"{direct}\"" : "";
        var made = await PosternCommand.RunAsync(
            "keys create person --scopes "
                + "write:approvals,read:approvals,write:runs,read:runs,read:deliveries "
                + $"--data \"{cluster.Nodes[0].Folder}\"{database}",
            Cluster.Settings
        );
        Decider = made.Out.Trim().Split('\n')[^1];
        await DoAsync(HttpMethod.Put, "/api/v1/agents/pull", new { kind = "pull" });
        await DoAsync(HttpMethod.Put, "/api/v1/agents/narrow", new { kind = "pull", concurrency = 2 });
        await DoAsync(
            HttpMethod.Put,
            "/api/v1/agents/called",
            new
            {
                kind = "http",
                url = outside.Url("agent"),
                concurrency = 8,
                retry = new { maxTries = 3 },
            }
        );
        foreach (var name in Outside.Endpoints)
            await DoAsync(
                HttpMethod.Put,
                "/api/v1/webhook-endpoints/" + name,
                new { url = outside.Url(name), events = new[] { "run.*", "session.closed", "approval.decided" } }
            );
        await DoAsync(
            HttpMethod.Put,
            "/api/v1/webhook-endpoints/nobody",
            new { url = $"http://127.0.0.1:{PostgresServer.FreePort()}/", events = new[] { "session.closed" } }
        );
        await DoAsync(HttpMethod.Put, "/api/v1/approval-services/default", new { secrets = new[] { Secret } });
        CallbackSecret = (await DoAsync(HttpMethod.Post, "/api/v1/callback-secrets", new { })).String("secret");
        foreach (
            var (name, agent, places) in ((string, string, int)[])
                [("echo", "echo", 20), ("called", "called", 20), ("few", "called", 2)]
        )
            await DoAsync(
                HttpMethod.Post,
                "/api/triggers/user/chaos/" + name,
                new
                {
                    agent,
                    promptTemplate = "Work on {{body.n}}",
                    maxInFlight = places,
                    deliveryIdHeader = "X-Chaos-Id",
                    webhookAuth = new { scheme = "github", secret = Secret },
                }
            );
        await DoAsync(
            HttpMethod.Post,
            "/api/triggers/user/chaos/clock",
            new
            {
                agent = "echo",
                promptTemplate = "It is {{scheduledTime}}",
                activationMode = "scheduled",
                cronExpression = "* * * * *",
            }
        );
    }

    /// <summary>Returns a random text, sometimes long, sometimes of another alphabet.</summary>
    public static string Words(Random random, int most)
    {
        var words = new StringBuilder();
        for (var i = random.Next(1, most); i > 0; i--)
            words.Append(
                (
                    random.Next(6) switch
                    {
                        0 => "déjà ",
                        1 => "门 ",
                        2 => "\"quoted\" ",
                        _ => "word ",
                    }
                )
            );
        return words.ToString();
    }

    private async Task<Answer> DoAsync(HttpMethod method, string path, object body)
    {
        var answer = await caller.InsistAsync(plan.RandomOf(path), method, path, JsonSerializer.Serialize(body), Root);
        return answer.Ok ? answer : throw new InvalidOperationException($"{path}: {answer.Status} {answer.Text}");
    }
}

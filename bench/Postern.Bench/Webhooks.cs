using System.Security.Cryptography;
using System.Text;

namespace Postern.Bench;

/// <summary>Webhooks of GitHub, signed, to triggers whose agent takes nothing up.</summary>
internal static class Webhooks
{
    /// <summary>Of all that the measurements sign, decisions too.</summary>
    public const string Secret = "the secret of the bench, long enough";

    /// <summary>Makes triggers under <c>user/bench</c>, from <c>t0</c> on.</summary>
    public static async Task MakeTriggersAsync(HttpClient maker, int count)
    {
        (await maker.PutAsJsonAsync("/api/v1/agents/idle", new { kind = "pull" })).EnsureSuccessStatusCode();
        for (var i = 0; i < count; i++)
            (
                await maker.PostAsJsonAsync(
                    $"/api/triggers/user/bench/t{i}",
                    new
                    {
                        agent = "idle",
                        promptTemplate = "{{body.issue.title}}",
                        maxInFlight = 1000,
                        webhookAuth = new { scheme = "github", secret = Secret },
                    }
                )
            ).EnsureSuccessStatusCode();
    }

    /// <summary>Writes the script of wrk that sends webhooks to the triggers in turn, and returns its file.</summary>
    /// <param name="folder">Where it is written.</param>
    /// <param name="round">No two rounds send the same body, because a repeat starts nothing.</param>
    /// <param name="bodies">How many bodies there are. They are signed beforehand; then they are sent again.</param>
    /// <param name="triggers">How many triggers there are.</param>
    /// <param name="prefix">What stands before the path of a trigger.</param>
    public static string Script(string folder, int round, int bodies, int triggers, string prefix = "")
    {
        var file = $"{folder}/webhooks{round}.lua";
        var signed = $"{folder}/webhooks{round}.txt";
        File.WriteAllLines(signed, Enumerable.Range(0, bodies).Select(n => SignatureOf(BodyOf(round, n))));
        File.WriteAllText(
            file,
            $$"""
            local signed = {}
            for line in io.lines("{{signed}}") do signed[#signed + 1] = line end
            local n = 0
            function request()
              local which = n % #signed
              n = n + 1
              local body = string.gsub('{{BodyOf(round, -1)}}', "-1", which, 1)
              local headers = { ["Content-Type"] = "application/json", ["X-GitHub-Event"] = "issues" }
              headers["X-Hub-Signature-256"] = "sha256=" .. signed[which + 1]
              headers["X-GitHub-Delivery"] = "{{round}}-" .. which
              return wrk.format("POST", "{{prefix}}/inbound/user/bench/t" .. (n % {{triggers}}), headers, body)
            end
            """
        );
        return file;
    }

    /// <summary>A webhook that is sent by itself.</summary>
    public static HttpRequestMessage Request(string origin, string body, int trigger)
    {
        var hook = new HttpRequestMessage(HttpMethod.Post, $"{origin}/inbound/user/bench/t{trigger}")
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        hook.Headers.Add("X-Hub-Signature-256", "sha256=" + SignatureOf(body));
        hook.Headers.Add("X-GitHub-Event", "issues");
        return hook;
    }

    public static string BodyOf(int round, int n) =>
        """{"action":"opened","issue":"""
        + $$$"""{"number":{{{n}}},"title":"It breaks when it is full"},"repository":"a/b{{{round}}}"}""";

    public static string SignatureOf(string body) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(body)));
}

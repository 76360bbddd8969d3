using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postern.Support;

namespace Postern.Tests.Triggers;

/// <summary>
/// A trigger made from the recipe on a page of the documents, and the published example events of its provider, signed
/// as the provider signs. So the page and its test cannot differ.
/// </summary>
internal sealed partial class Recipe
{
    private const string Secret = "a secret that the provider gave";
    private readonly TestServer _server;
    private readonly string _provider;
    private readonly string _path;

    private Recipe(TestServer server, string provider, string path)
    {
        (_server, _provider, _path) = (server, provider, path);
    }

    public static async Task<Recipe> MakeAsync(TestServer server, string provider)
    {
        var page = await File.ReadAllTextAsync(Repository.File($"docs/connect-{provider}.md"));
        var pasted = Pasted().Match(page);
        Assert.True(pasted.Success, $"docs/connect-{provider}.md makes no trigger");
        var made = await server.PostAsync(
            "/api/triggers/" + pasted.Groups["path"].Value,
            pasted.Groups["json"].Value.Replace("'$SECRET'", Secret, StringComparison.Ordinal)
        );
        Assert.True(made.Status == 201, made.ToString());
        // The answer on the page is the answer of the server.
        Assert.Contains(made.Text, page, StringComparison.Ordinal);
        return new Recipe(server, provider, pasted.Groups["path"].Value);
    }

    /// <summary>An example event, changed.</summary>
    public string Event(string name, Action<JsonNode>? change = null)
    {
        var node = JsonNode.Parse(
            File.ReadAllText(Repository.File($"test/Postern.Tests/Triggers/Senders/{_provider}.{name}.json"))
        )!;
        change?.Invoke(node);
        return node.ToJsonString();
    }

    public async Task<Answer> SendAsync(string body, params (string Name, string Value)[] headers)
    {
        var answer = await TryAsync(body, Sign(body), headers);
        Assert.True(answer.Status == 200, answer.ToString());
        return answer;
    }

    public Task<Answer> TryAsync(
        string body,
        (string Name, string Value)[] signature,
        params (string Name, string Value)[] headers
    ) => _server.SendAsync(HttpMethod.Post, "/inbound/" + _path, null, body, [.. signature, .. headers]);

    public (string Name, string Value)[] Sign(string body)
    {
        var now = _server.Clock.GetUtcNow().ToUnixTimeSeconds();
        return _provider switch
        {
            "github" => [("X-Hub-Signature-256", "sha256=" + Hex(body))],
            "gitlab" => [("X-Gitlab-Token", Secret)],
            "slack" =>
            [
                ("X-Slack-Request-Timestamp", $"{now}"),
                ("X-Slack-Signature", "v0=" + Hex($"v0:{now}:{body}")),
            ],
            "stripe" => [("Stripe-Signature", $"t={now},v1={Hex($"{now}.{body}")}")],
            "linear" => [("Linear-Signature", Hex(body))],
            "shopify" => [("X-Shopify-Hmac-Sha256", Convert.ToBase64String(Mac(body)))],
            "sentry" => [("Sentry-Hook-Signature", Hex(body))],
            _ => [("X-PagerDuty-Signature", $"v1={new string('0', 64)},v1={Hex(body)}")],
        };
    }

    /// <summary>Returns the session of a request, after the answer to it.</summary>
    public async Task<string> SessionAsync(Answer answer)
    {
        var capture = await CaptureAsync(answer);
        Assert.Equal(JsonValueKind.Null, capture.GetProperty("reason").ValueKind);
        return capture.GetProperty("cloudAgentSessionId").GetString()!;
    }

    public async Task<JsonElement> CaptureAsync(Answer answer) =>
        (await _server.GetAsync($"/api/triggers/{_path}/requests/{IdOf(answer)}")).Json.GetProperty("data");

    /// <summary>Returns the last message to the agent in the session of a request.</summary>
    public async Task<string> ToldAsync(Answer answer)
    {
        var messages = (
            await _server.GetAsync($"/api/v1/sessions/{await SessionAsync(answer)}/transcript")
        ).Json.GetProperty("messages");
        return messages
            .EnumerateArray()
            .Last(m => m.GetProperty("role").GetString() == "user")
            .GetProperty("content")[0]
            .GetProperty("text")
            .GetString()!;
    }

    public static string IdOf(Answer answer) => answer.Json.GetProperty("data").GetProperty("requestId").GetString()!;

    public static bool IsDuplicate(Answer answer) => Says(answer, "duplicate");

    public static bool IsFiltered(Answer answer) => Says(answer, "filtered");

    private static bool Says(Answer answer, string member) =>
        answer.Json.GetProperty("data").TryGetProperty(member, out var said) && said.GetBoolean();

    private static byte[] Mac(string signed) =>
        HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(signed));

    private static string Hex(string signed) => Convert.ToHexStringLower(Mac(signed));

    [GeneratedRegex(
        @"^curl -s \$U/api/triggers/(?<path>\S+) -H ""Authorization: Bearer \$KEY"" -d '(?<json>\{.*?\})'$",
        RegexOptions.Multiline | RegexOptions.Singleline
    )]
    private static partial Regex Pasted();
}

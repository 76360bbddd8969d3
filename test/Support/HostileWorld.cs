using Microsoft.Extensions.DependencyInjection;
using Postern.Access;

namespace Postern.Support;

/// <summary>
/// A server on which every party that can name something gives it a name that attacks the viewer: agents, clients,
/// senders of webhooks, receivers, browsers.
/// </summary>
internal sealed class HostileWorld
{
    /// <summary>The title that a page would show if somebody's text were run.</summary>
    public const string Taken = "taken";

    private readonly Dictionary<string, string> _ids = new(StringComparer.Ordinal);

    /// <summary>Short enough for a name or a title.</summary>
    public static IReadOnlyList<string> Texts { get; } =
    [
        "</pre></title></textarea></script><script>document.title='taken'</script>",
        "<img src=x onerror=\"document.title='taken'\">",
        "javascript:document.title='taken'",
        "https://evil.example/\"onmouseover=\"document.title='taken'\"",
        "'><form action=https://evil.example><button autofocus onfocus=\"document.title='taken'\">",
        "a\u202Eb\u2066c\u200Bd\u2028e\u00ADf\uFEFFg",
        "<svg><use href=\"//evil.example/x.svg#a\"/><script href=\"data:,document.title='taken'\"/></svg>",
        "{{constructor.constructor('document.title=\"taken\"')()}} ${document.title='taken'}",
        "<meta http-equiv=refresh content=\"0;url=https://evil.example\"><base href=https://evil.example>",
        "<iframe srcdoc=\"<script>top.document.title='taken'</script>\"></iframe><style>body{display:none}</style>",
        "-->]]><!--<noscript><p title=\"</noscript><img src=x onerror=document.title='taken'>\">",
    ];

    /// <summary>Everything in one text, before a line of a megabyte.</summary>
    public static string Long { get; } = string.Join('\n', Texts) + new string('x', 900_000);

    /// <summary>JSON of the greatest depth, with a text at the bottom.</summary>
    private static object Nested
    {
        get
        {
            object deep = Texts[0];
            for (var i = 0; i < 50; i++)
                deep = new Dictionary<string, object>(StringComparer.Ordinal) { [Texts[i % Texts.Count]] = deep };
            return deep;
        }
    }

    /// <summary>Returns the id of such a thing by the parameter's name in paths, or null.</summary>
    public string? IdOf(string name) => _ids.GetValueOrDefault(name);

    public static async Task<HostileWorld> MakeAsync(TestServer server, Receiver receiver)
    {
        var world = new HostileWorld();
        await world.MakeRunsAsync(server);
        await world.MakeSessionsAsync(server);
        await world.MakeDeliveriesAsync(server, receiver);
        await MakeNamesAsync(server);
        return world;
    }

    private async Task MakeRunsAsync(TestServer server)
    {
        var asking = await Asking.PrepareAsync(server);
        var (run, _, _) = await asking.RunningAsync();
        await OkAsync(
            server.PostAsync(
                $"/api/v1/runs/{run}/status",
                new
                {
                    status = "failed",
                    failure = new { code = "broken", message = string.Join('\n', Texts) },
                    output = new
                    {
                        texts = Texts,
                        nested = Nested,
                        line = new string('x', 150_000),
                    },
                }
            )
        );
        _ids["run"] = run;
        var (asks, _, request) = await asking.WaitingAsync(
            new
            {
                title = Texts[0],
                description = string.Join('\n', Texts),
                payload = Nested,
                options = Texts.Take(3).ToArray(),
            }
        );
        _ids["approval"] = request;
        var (_, _, decided) = await asking.WaitingAsync(new { title = Texts[1] });
        await OkAsync(asking.DecideAsync(decided, "rejected", string.Join('\n', Texts)));
        var stopped = (await server.PostAsync("/api/v1/runs", new { agent = "p", input = Nested })).String("id");
        await OkAsync(server.PostAsync($"/api/v1/runs/{stopped}/cancel", new { reason = Texts[2] }));
        Assert.NotEqual(asks, run);
    }

    private async Task MakeSessionsAsync(TestServer server)
    {
        foreach (var name in Texts.Where(t => t.Length <= 120 && t.All(c => c is >= ' ' and < (char)127)))
            await server.StartSessionAsync(name);
        var closed = (await server.StartSessionAsync("closed")).String("id");
        await OkAsync(server.PostAsync($"/api/v1/sessions/{closed}/close", new { reason = Texts[1] }));
        var session = (await server.StartSessionAsync("hostile")).String("id");
        string[] said = [.. Texts, Long];
        foreach (var text in said)
            await OkAsync(server.SayAsync("hostile", text));
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync($"/api/v1/sessions/{session}/transcript"))
                .Json.GetProperty("messages")
                .GetArrayLength() > said.Length
        );
        _ids["session"] = session;
    }

    private async Task MakeDeliveriesAsync(TestServer server, Receiver receiver)
    {
        receiver.Answers = _ => (404, string.Join('\n', Texts));
        _ids["delivery"] = await DeadLetters.OneAsync(server, receiver.Url);
    }

    private static async Task MakeNamesAsync(TestServer server)
    {
        await OkAsync(
            server.PostAsync(
                "/api/triggers/user/me/hostile",
                new { agent = "echo", promptTemplate = Texts[0] + "{{body.text}} {{bodyJson}}" }
            )
        );
        foreach (var body in (object[])[new { text = string.Join('\n', Texts), nested = Nested }, Long])
            await OkAsync(
                server.SendAsync(
                    HttpMethod.Post,
                    "/inbound/user/me/hostile?q=" + Uri.EscapeDataString(Texts[0]),
                    null,
                    body is string text ? text[..200_000] : body,
                    ("Content-Type", body is string ? "text/plain" : "application/json"),
                    ("X-Said", Texts[0]),
                    ("X-Said-Too", Texts[3])
                )
            );
        foreach (var name in Texts.Take(3))
            await OkAsync(server.PostAsync("/api/v1/keys", new { name, scopes = new[] { "read:runs" } }));
        var sessions = server.App.Services.GetRequiredService<ConsoleSessions>();
        var project = await server.ProjectAsync();
        foreach (var text in Texts)
            await sessions.BeginAsync(
                new ConsolePerson(project, ConsolePerson.OfOidc + text, Roles: ["none"]),
                "203.0.113.9",
                text
            );
    }

    private static async Task OkAsync(Task<Answer> asked)
    {
        var answer = await asked;
        Assert.True(answer.Status is >= 200 and < 300, answer.ToString());
    }
}

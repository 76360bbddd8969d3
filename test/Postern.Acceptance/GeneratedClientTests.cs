using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The OpenAPI document in the hands of tools that nobody here wrote: a linter, and a generator whose client compiles
/// and works.
/// </summary>
public sealed class GeneratedClientTests(ChatServer chat) : IClassFixture<ChatServer>
{
    private static readonly string Document = Repository.File("openapi.json");

    /// <summary>The linter looks at the file, and calls nobody.</summary>
    private static readonly Dictionary<string, string> Quiet = new()
    {
        ["REDOCLY_TELEMETRY"] = "off",
        ["REDOCLY_SUPPRESS_UPDATE_NOTICE"] = "true",
    };

    [Fact]
    public async Task A_linter_with_its_recommended_rules_finds_nothing()
    {
        var said = await RunAsync(
            $"node_modules/@redocly/cli/bin/cli.js lint {Document} --extends recommended --format json"
        );
        var json = said[said.IndexOf('{', StringComparison.Ordinal)..(said.LastIndexOf('}') + 1)];
        using var report = System.Text.Json.JsonDocument.Parse(json);
        Assert.True(report.RootElement.GetProperty("problems").GetArrayLength() == 0, said);
    }

    [Fact]
    public async Task A_generated_client_compiles_and_does_a_session_a_run_a_question_and_a_trigger()
    {
        const string options = "-o obj/api.d.ts --default-non-nullable=false";
        await RunAsync($"node_modules/openapi-typescript/bin/cli.js {Document} {options}");
        await RunAsync("node_modules/typescript/bin/tsc -p .");
        var decider = await chat.KeyAsync("decider", "write:approvals,read:approvals");
        var said = await RunAsync($"generated.ts {chat.Server.Url} {chat.Server.RootKey} {decider}");
        Assert.Equal("ok", said.TrimEnd());
    }

    private static async Task<string> RunAsync(string arguments)
    {
        var (code, output, error) = await Node.RunAsync(arguments, Quiet);
        Assert.True(code == 0, output + error);
        return output;
    }
}

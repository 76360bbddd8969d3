using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The OpenAPI document used by tools that were not written here: a linter, and a generator whose client compiles and
/// works.
/// </summary>
public sealed class GeneratedClientTests(ChatServer chat) : IClassFixture<ChatServer>
{
    private static readonly string Document = Repository.File("openapi.json");

    /// <summary>The linter reads the file and contacts no server.</summary>
    private static readonly Dictionary<string, string> Quiet = new()
    {
        ["REDOCLY_TELEMETRY"] = "off",
        ["REDOCLY_SUPPRESS_UPDATE_NOTICE"] = "true",
    };

    [Fact]
    public async Task A_linter_with_its_recommended_rules_finds_nothing()
    {
        var (code, problems, said) = await LintAsync(Document);
        Assert.True(code == 0 && problems == 0, said);
    }

    /// <summary>The same linter, on the same document with one fault: so it reads and judges the document.</summary>
    [Fact]
    public async Task The_linter_finds_a_fault_in_the_document()
    {
        var document = JsonNode.Parse(await File.ReadAllTextAsync(Document))!;
        document["paths"]!["/api/v1/runs"]!["post"]!["responses"] = new JsonObject();
        var spoilt = Path.Combine(Directory.CreateTempSubdirectory("postern-lint-").FullName, "openapi.json");
        await File.WriteAllTextAsync(spoilt, document.ToJsonString());
        var (_, problems, said) = await LintAsync(spoilt);
        Assert.True(problems > 0, said);
        Directory.Delete(Path.GetDirectoryName(spoilt)!, recursive: true);
    }

    private static async Task<(int Code, int Problems, string Said)> LintAsync(string document)
    {
        var (code, output, error) = await Node.RunAsync(
            $"node_modules/@redocly/cli/bin/cli.js lint {document} --extends recommended --format json",
            Quiet
        );
        var json = output[output.IndexOf('{', StringComparison.Ordinal)..(output.LastIndexOf('}') + 1)];
        using var report = JsonDocument.Parse(json);
        return (code, report.RootElement.GetProperty("problems").GetArrayLength(), output + error);
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

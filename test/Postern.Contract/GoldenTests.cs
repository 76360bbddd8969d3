using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Postern.Deliveries;
using Postern.Hosting;
using Postern.Settings;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Files that are generated from the declarations that also enforce. A change of exposure is then a changed line.
/// <c>make docs</c> writes them anew.
/// </summary>
public sealed class GoldenTests
{
    [Fact]
    public async Task The_door_table_is_the_golden_one()
    {
        await using var server = await TestServer.StartAsync();
        await SameAsync("doors.txt", server.Doors.Print());
    }

    [Fact]
    public async Task The_door_table_of_a_relay_is_the_golden_one()
    {
        await using var relay = await RelayNode.StartAsync();
        await SameAsync("doors-relay.txt", relay.Doors.Print());
    }

    [Fact]
    public async Task The_table_of_reactions_is_golden()
    {
        await using var server = await TestServer.StartAsync();
        await SameAsync("reactions.txt", server.App.Services.GetRequiredService<ReactionTable>().Print());
    }

    [Fact]
    public async Task The_document_is_the_golden_one_and_names_a_credential_for_every_operation()
    {
        await using var server = await TestServer.StartAsync();
        var document = (await server.GetAsync("/openapi.json", "")).Text;
        await SameAsync("openapi.json", document);
        var paths = JsonSerializer
            .Deserialize<JsonElement>(document)
            .GetProperty("paths")
            .EnumerateObject()
            .SelectMany(p => p.Value.EnumerateObject().Select(o => (Path: p.Name, Operation: o.Value)))
            .ToList();
        Assert.Equal(server.Doors.Table.Count(d => !d.Hidden), paths.Count);
        foreach (var (path, operation) in paths.Where(p => p.Path is not ("/healthz" or "/readyz")))
            Assert.True(operation.TryGetProperty("security", out var security) && security.GetArrayLength() > 0, path);
    }

    [Fact]
    public void Every_member_and_parameter_is_described_and_every_refusal_has_a_body()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Repository.File("openapi.json")));
        var components = document.RootElement.GetProperty("components");
        foreach (var schema in components.GetProperty("schemas").EnumerateObject())
        foreach (var member in schema.Value.GetProperty("properties").EnumerateObject())
            Assert.True(member.Value.TryGetProperty("description", out _), $"{schema.Name}.{member.Name}");
        foreach (var response in components.GetProperty("responses").EnumerateObject())
            Assert.All(
                response.Value.GetProperty("content").EnumerateObject(),
                c => Assert.True(c.Value.TryGetProperty("schema", out _))
            );
        var operations = document
            .RootElement.GetProperty("paths")
            .EnumerateObject()
            .SelectMany(p => p.Value.EnumerateObject());
        foreach (var operation in operations)
        {
            if (!operation.Value.TryGetProperty("parameters", out var parameters))
                continue;
            Assert.All(
                parameters.EnumerateArray(),
                p => Assert.True(p.GetProperty("description").GetString()!.Length > 0)
            );
        }
    }

    [Fact]
    public Task The_documents_hold_the_settings() =>
        HoldsAsync("docs/configuration.md", "settings", SettingsReader.Markdown());

    [Fact]
    public Task The_documents_hold_the_events() => HoldsAsync("docs/deliveries.md", "events", EventType.Markdown());

    /// <summary>A generated table stands in its document between two marks.</summary>
    private static async Task HoldsAsync(string name, string what, string table)
    {
        var (begin, end) = ($"<!-- {what} -->\n", $"<!-- end of {what} -->");
        var text = await File.ReadAllTextAsync(Repository.File(name));
        var start = text.IndexOf(begin, StringComparison.Ordinal) + begin.Length;
        await SameAsync(name, text[..start] + table + text[text.IndexOf(end, StringComparison.Ordinal)..]);
    }

    [Fact]
    public async Task The_reference_page_is_served()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Contains("scalar.js", (await server.GetAsync("/docs/index.html", "")).Text, StringComparison.Ordinal);
        Assert.Equal(200, (await server.GetAsync("/docs/scalar.js", "")).Status);
        Assert.Equal(404, (await server.GetAsync("/docs/nothing.js", "")).Status);
    }

    private static async Task SameAsync(string name, string now)
    {
        var file = Repository.File(name);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
            await File.WriteAllTextAsync(file, now);
        Assert.Equal(await File.ReadAllTextAsync(file), now);
    }
}

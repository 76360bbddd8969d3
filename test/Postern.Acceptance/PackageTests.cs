using System.Diagnostics;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>The packages for operators: each is made, installed in a folder of its own, and started.</summary>
public sealed class PackageTests
{
    [Fact]
    public async Task The_Debian_package_installs_starts_as_its_unit_says_and_is_purged_without_a_trace()
    {
        var made = Directory.CreateTempSubdirectory("postern-deb").FullName;
        var root = Directory.CreateTempSubdirectory("postern-root").FullName;
        var package = (await RunAsync("bash", "packaging/deb.sh", made, "false")).Trim().Split('\n')[^1];
        Directory.CreateDirectory(Path.Combine(root, "var/lib/dpkg/info"));
        Directory.CreateDirectory(Path.Combine(root, "var/lib/dpkg/updates"));
        await File.WriteAllTextAsync(Path.Combine(root, "var/lib/dpkg/status"), "");

        var said = await DpkgAsync(root, "--install", package);
        Assert.Contains("/etc/postern/postern.env", said, StringComparison.Ordinal);
        Assert.DoesNotContain("pst_root_", said, StringComparison.Ordinal);
        var settings = Path.Combine(root, "etc/postern/postern.env");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(settings));
        var environment = (await File.ReadAllLinesAsync(settings))
            .Where(l => !l.StartsWith('#'))
            .Select(l => l.Split('=', 2))
            .ToDictionary(l => l[0], l => l[1], StringComparer.Ordinal);

        var unit = await File.ReadAllLinesAsync(Path.Combine(root, "usr/lib/systemd/system/postern.service"));
        foreach (var line in (string[])["User=postern", "ProtectSystem=strict", "NoNewPrivileges=yes"])
            Assert.Contains(line, unit);
        var start = unit.Single(l => l.StartsWith("ExecStart=", StringComparison.Ordinal))["ExecStart=".Length..];
        Assert.Equal("/usr/bin/postern serve --data /var/lib/postern", start);
        environment[PosternCommand.Program] = Path.Combine(root, "usr/bin/postern");
        var data = Path.Combine(root, "var/lib/postern");
        await AnswersAsync($"--data {data} --urls http://127.0.0.1:0", environment);

        // A second configuration keeps the key and the data; only a purge deletes them.
        await DpkgAsync(root, "--install", package);
        Assert.Contains(
            environment["POSTERN_ROOT_KEY"],
            await File.ReadAllTextAsync(settings),
            StringComparison.Ordinal
        );
        await DpkgAsync(root, "--remove", "postern");
        Assert.False(File.Exists(Path.Combine(root, "usr/bin/postern")));
        Assert.True(File.Exists(Path.Combine(data, "postern.db")));
        await DpkgAsync(root, "--purge", "postern");
        Assert.False(Directory.Exists(data) || File.Exists(settings));
        Directory.Delete(root, recursive: true);
        Directory.Delete(made, recursive: true);
    }

    [Fact]
    public async Task The_unit_is_one_that_systemd_takes()
    {
        var folder = Directory.CreateTempSubdirectory("postern-unit").FullName;
        var unit = await File.ReadAllTextAsync(Repository.File("packaging/postern.service"));
        // The program must be where the unit says; in this test it is not installed.
        var copy = Path.Combine(folder, "postern.service");
        await File.WriteAllTextAsync(copy, unit.Replace("/usr/bin/postern", "/bin/true", StringComparison.Ordinal));
        Assert.DoesNotContain(
            "postern.service",
            await RunAsync("systemd-analyze", "verify", copy),
            StringComparison.Ordinal
        );
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task The_dotnet_tool_installs_and_starts()
    {
        var made = Directory.CreateTempSubdirectory("postern-pack").FullName;
        var tools = Directory.CreateTempSubdirectory("postern-tool").FullName;
        await RunAsync("dotnet", "pack", "src/Postern", "-c", "Release", "-v", "quiet", "-nologo", "-o", made);
        var version = Path.GetFileName(Directory.GetFiles(made, "Postern.?.*.nupkg").Single())["Postern.".Length..^6];
        await RunAsync(
            "dotnet",
            "tool",
            "install",
            "postern",
            "--tool-path",
            tools,
            "--source",
            made,
            "--version",
            version,
            "--no-cache"
        );
        var key = await RunAsync(Path.Combine(tools, "postern"), "keys", "generate");
        await AnswersAsync(
            $"--data {Path.Combine(made, "data")} --urls http://127.0.0.1:0",
            new() { [PosternCommand.Program] = Path.Combine(tools, "postern"), ["POSTERN_ROOT_KEY"] = key.Trim() }
        );
        Directory.Delete(tools, recursive: true);
        Directory.Delete(made, recursive: true);
    }

    /// <summary>Starts it with its root key, does a run to its end, and stops it.</summary>
    private static async Task AnswersAsync(string arguments, Dictionary<string, string> environment)
    {
        await using var server = await ServerProcess.StartAsync(arguments, environment);
        using var client = server.Client(environment["POSTERN_ROOT_KEY"]);
        var started = await client.PostAsync(
            "/api/v1/runs",
            new StringContent("""{"agent":"echo","input":{"order":17}}""")
        );
        Assert.Equal(202, (int)started.StatusCode);
        var id = System.Text.Json.JsonDocument.Parse(await started.Content.ReadAsStringAsync()).RootElement;
        var run = await client.GetStringAsync($"/api/v1/runs/{id.GetProperty("id").GetString()}?wait=30");
        Assert.Contains("\"status\":\"succeeded\"", run, StringComparison.Ordinal);
        Assert.Equal(0, await server.TerminateAsync());
        Assert.DoesNotContain("pst_root_", server.Output, StringComparison.Ordinal);
    }

    private static Task<string> DpkgAsync(string root, params string[] arguments) =>
        RunAsync(
            "dpkg",
            ["--root=" + root, "--force-not-root", "--force-script-chrootless", "--force-depends", .. arguments]
        );

    /// <summary>Returns its output; any failure fails the test.</summary>
    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Path.GetDirectoryName(Repository.File("README.md")),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Not the settings of the test run, which are for another server and build.
        foreach (
            var name in start.Environment.Keys.Where(k => k.StartsWith("MSBuild", StringComparison.Ordinal)).ToList()
        )
            start.Environment.Remove(name);
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(4));
        var said = await output + await error;
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {said}");
        return said;
    }
}

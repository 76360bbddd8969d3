using System.Text.RegularExpressions;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Mistakes on the command line, in the environment, in the settings file or in the folder: exit code 2 and a text that
/// names the mistake and says what to do. Never a stack trace, and nothing of a password. The doctor and the other
/// commands read the same.
/// </summary>
public sealed partial class StartFaultTests : IDisposable
{
    private const string Master = "a master key of these tests, long enough";
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-start-").FullName;

    private string Data => Path.Combine(_folder, "data");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string, string> Arguments =>
        new()
        {
            { "--database nonsense", "--database is no list of NAME=VALUE" },
            { "--database mysql://ada:hunter2@db/x", "--database is a URL of something else" },
            { "--database \"Host=db;Bogus=1;Password=hunter2\"", "--database says bogus, which is not known" },
            {
                "--database \"Host=db;Port=many;Password=hunter2\"",
                "--database says port, which is not known or cannot"
            },
            { "--database postgres://ada:hunter2@db:many/x", "--database has a port that is no number" },
            { "--database postgres://ada:hunter2%zz@db/x", "--database holds a % in its password" },
            {
                "--database \"postgres://ada:hunter2@db/x?sslmode=maybe\"",
                "--database says sslmode, which is not known or"
            },
            { "--database \"postgres://ada:hunter2@db/x?surprise=1\"", "--database says surprise, which is not known" },
            { "--database postgres://ada:hunter2@127.0.0.1:1/x", "PostgreSQL cannot be reached" },
            { "--urls nonsense", "--urls nonsense is no URL" },
            { "--urls 127.0.0.1:7400", "--urls 127.0.0.1:7400 is no URL" },
            { "--urls http://127.0.0.1:99999", "has a port that is no number from 0 to 65535" },
            { "--urls https://127.0.0.1:0", "asks for TLS" },
            { "--urls ftp://127.0.0.1:0", "is no http:// URL" },
            { "--urls http://127.0.0.1:0/base", "holds a path" },
            { "--urls http://192.0.2.1:7400", "this machine has no such address" },
        };

    [Theory]
    [MemberData(nameof(Arguments))]
    public async Task An_address_that_cannot_be_used_is_named_with_what_to_do(string arguments, string words)
    {
        await RefusesAsync($"serve --data {Data} {arguments}", words);
        // The doctor and the commands beside the server read the same.
        if (
            words.StartsWith("--", StringComparison.Ordinal)
            && !arguments.StartsWith("--urls", StringComparison.Ordinal)
        )
            await RefusesAsync($"keys list --data {Data} {arguments}", words);
    }

    public static TheoryData<string, string> Files =>
        new()
        {
            { "", "is no JSON" },
            { "[1]", "must hold an object" },
            { "{\"Postern\":5}", "Postern is no setting" },
            { "{\"Postern\":{\"DefaultAgent\":null}}", "Postern:DefaultAgent is null" },
            { "{\"Postern\":{\"Outbound\":{\"AllowedNetworks\":[5]}}}", "AllowedNetworks must be a list of texts" },
            { "{\"Postern\":{\"Outbound\":{\"AllowedNetworks\":[\"everyone\"]}}}", "must be networks in CIDR form" },
            {
                "{\"Postern\":{\"Outbound\":{\"AllowedNetworks\":{\"a\":\"::1/128\"}}}}",
                "AllowedNetworks:a is no setting"
            },
            { "{\"Postern\":{\"Runs\":{\"IdleSeconds\":\"soon\"}}}", "must be a whole number" },
        };

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Settings_that_cannot_be_used_are_named(string json, string words)
    {
        Directory.CreateDirectory(Data);
        await File.WriteAllTextAsync(Path.Combine(Data, "postern.json"), json);
        await RefusesAsync($"serve --data {Data} --urls http://127.0.0.1:0", words);
    }

    [Fact]
    public async Task Files_of_the_folder_that_are_none_or_are_cut_off_are_named()
    {
        var file = Path.Combine(_folder, "a-file");
        await File.WriteAllTextAsync(file, "");
        await RefusesAsync($"serve --data {file}", "is a file: name a folder with --data");
        var doctor = await PosternCommand.RunAsync($"doctor --data {file}");
        Assert.Equal(1, doctor.Code);
        Assert.Contains("is a file: name a folder with --data", doctor.Out, StringComparison.Ordinal);
        await RefusesAsync("serve --data /proc/none/of/this", "cannot be made");
        foreach (
            var (name, content, words) in ((string, string?, string)[])
                [
                    ("master.key", "", "has fewer than 32 characters"),
                    ("master.key", "short", "has fewer than 32 characters"),
                    ("master.key", null, "is a folder"),
                    ("postern.db", null, "is a folder"),
                    ("postern.json", null, "is a folder"),
                    (
                        "postern.db",
                        "this is no database, and long enough to be looked at",
                        "It is damaged, or no database"
                    ),
                ]
        )
        {
            Directory.CreateDirectory(Data);
            var path = Path.Combine(Data, name);
            if (content is null)
                Directory.CreateDirectory(path);
            else
                await File.WriteAllTextAsync(path, content);
            await RefusesAsync($"serve --data {Data} --urls http://127.0.0.1:0", words);
            Directory.Delete(Data, recursive: true);
        }
    }

    [Fact]
    public async Task PostgreSQL_that_refuses_is_told_with_what_to_do()
    {
        var there = new Npgsql.NpgsqlConnectionStringBuilder(PostgresServer.NewDatabase());
        var url = $"postgres://{there.Username}@{there.Host}:{there.Port}/{there.Database}";
        await RefusesAsync($"serve --data {Data} --database {url}_none", "Make it with createdb");
        await RefusesAsync(
            $"serve --data {Data} --database {url.Replace("://", "://nobody_", StringComparison.Ordinal)}",
            "PostgreSQL refuses"
        );
    }

    /// <summary>The key is in the database by then, and no later start prints it.</summary>
    [Fact]
    public async Task A_first_start_that_fails_after_it_made_the_root_key_prints_it()
    {
        var failed = await PosternCommand.RunAsync(
            $"serve --data {Data} --urls http://127.0.0.1:0 --relay http://127.0.0.1:1"
        );
        Assert.Equal((2, true), (failed.Code, failed.Error.Contains("was not joined", StringComparison.Ordinal)));
        var key = failed.Out.Split("export KEY=")[1].Split('\n')[0];
        await using var server = await ServerProcess.StartAsync($"--data {Data} --urls http://127.0.0.1:0");
        Assert.DoesNotContain("pst_root_", server.Output, StringComparison.Ordinal);
        using var http = server.Client(key);
        Assert.Equal(System.Net.HttpStatusCode.OK, (await http.GetAsync("/api/v1/keys")).StatusCode);
    }

    /// <summary>It would fail at the first character that the encoding has not, long after the start.</summary>
    [Theory]
    [InlineData("LATIN1")]
    [InlineData("SQL_ASCII")]
    public async Task A_database_that_cannot_hold_every_text_is_refused_before_anything_is_made_in_it(string encoding)
    {
        var there = new Npgsql.NpgsqlConnectionStringBuilder(PostgresServer.NewDatabase());
        var name = "enc_" + Guid.NewGuid().ToString("N");
        await using var source = Npgsql.NpgsqlDataSource.Create(there.ToString());
        await using (
            var make = source.CreateCommand(
                $"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
            )
        )
            await make.ExecuteNonQueryAsync();
        var url = $"postgres://{there.Username}@{there.Host}:{there.Port}/{name}";
        await RefusesAsync($"serve --data {Data} --database {url}", $"has the encoding {encoding}");
        var doctor = await PosternCommand.RunAsync(
            $"doctor --data {Data} --database {url} --urls http://127.0.0.1:{PostgresServer.FreePort()}",
            new Dictionary<string, string> { ["POSTERN_MASTER_KEY"] = Master }
        );
        Assert.Equal(1, doctor.Code);
        Assert.Contains($"has the encoding {encoding}", doctor.Out, StringComparison.Ordinal);
        Assert.Contains("empty: the first start makes its tables", doctor.Out, StringComparison.Ordinal);
    }

    /// <summary>
    /// The doctor is right about a database server: before the first start, beside a server, without writes.
    /// </summary>
    [Fact]
    public async Task The_doctor_tells_an_empty_database_a_running_server_and_one_that_takes_no_writes()
    {
        var there = new Npgsql.NpgsqlConnectionStringBuilder(PostgresServer.NewDatabase());
        var url = $"postgres://{there.Username}@{there.Host}:{there.Port}/{there.Database}";
        var environment = new Dictionary<string, string> { ["POSTERN_MASTER_KEY"] = Master };
        await DoctorAsync(
            $"http://127.0.0.1:{PostgresServer.FreePort()}",
            0,
            "empty: the first start makes its tables"
        );
        await using var server = await ServerProcess.StartAsync(
            $"--data {Data} --urls http://127.0.0.1:0 --database {url}",
            environment
        );
        await DoctorAsync(server.Url, 0, "is in use by a server of postern");
        using var other = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        other.Start();
        await DoctorAsync($"http://{other.LocalEndpoint}", 1, "it is taken by another program");
        await using var source = Npgsql.NpgsqlDataSource.Create(there.ToString());
        await using var alter = source.CreateCommand(
            $"ALTER DATABASE \"{there.Database}\" SET default_transaction_read_only = on"
        );
        await alter.ExecuteNonQueryAsync();
        await DoctorAsync(server.Url, 1, "takes no writes");

        async Task DoctorAsync(string urls, int code, string words)
        {
            var doctor = await PosternCommand.RunAsync(
                $"doctor --data {Data} --database {url} --urls {urls}",
                environment
            );
            Assert.True(doctor.Code == code && doctor.Out.Contains(words, StringComparison.Ordinal), doctor.Out);
        }
    }

    [Fact]
    public async Task The_database_may_be_given_as_a_URL_with_several_hosts_and_by_the_variable_of_the_platform()
    {
        var there = new Npgsql.NpgsqlConnectionStringBuilder(PostgresServer.NewDatabase());
        var dead = PostgresServer.FreePort();
        var url =
            $"postgresql://{there.Username}:secret@127.0.0.1:{dead},{there.Host}:{there.Port}/{there.Database}"
            + "?connect_timeout=3&target_session_attrs=any&application_name=door";
        var environment = new Dictionary<string, string> { ["POSTERN_MASTER_KEY"] = Master, ["DATABASE_URL"] = url };
        string key;
        await using (
            var server = await ServerProcess.StartAsync($"--data {Data} --urls http://127.0.0.1:0", environment)
        )
        {
            await server.SaysAsync("on postgresql");
            key = server.RootKey;
        }
        // POSTERN_DATABASE wins over DATABASE_URL, and the option wins over both. An existing embedded database is not
        // replaced by a variable of the platform.
        environment["DATABASE_URL"] = "mysql://elsewhere/x";
        environment["POSTERN_DATABASE"] = url;
        await using (
            var server = await ServerProcess.StartAsync($"--data {Data} --urls http://127.0.0.1:0", environment)
        )
        {
            using var http = server.Client(key);
            Assert.Equal(System.Net.HttpStatusCode.OK, (await http.GetAsync("/api/v1/keys")).StatusCode);
        }
        environment.Remove("POSTERN_DATABASE");
        await RefusesAsync($"serve --data {Data}", "DATABASE_URL is a URL of something else", environment);
        // What is there is not left for another one that a variable of the platform names.
        Directory.CreateDirectory(Data);
        await File.WriteAllTextAsync(Path.Combine(Data, "postern.db"), "");
        environment["DATABASE_URL"] = url;
        await RefusesAsync(
            $"serve --data {Data}",
            "holds an embedded database, and DATABASE_URL names another",
            environment
        );
    }

    [Fact]
    public async Task Lists_are_JSON_lists_in_the_file_and_an_item_a_variable_in_the_environment()
    {
        Directory.CreateDirectory(Data);
        await File.WriteAllTextAsync(
            Path.Combine(Data, "postern.json"),
            "{\"Postern\":{\"Outbound\":{\"AllowedNetworks\":[\"10.1.0.0/16\",\"10.2.0.0/16\"]}}}",
            System.Text.Encoding.Unicode
        );
        var environment = new Dictionary<string, string>
        {
            ["POSTERN_Operators__TrustedProxies__0"] = "10.0.0.0/8",
            ["POSTERN_Operators__TrustedProxies__1"] = "::1/128",
        };
        await using var server = await ServerProcess.StartAsync(
            $"--data {Data} --urls http://127.0.0.1:0",
            environment
        );
        using var http = server.Client(server.RootKey);
        Assert.Equal(System.Net.HttpStatusCode.OK, (await http.GetAsync("/api/v1/keys")).StatusCode);
    }

    private static async Task RefusesAsync(string command, string words, Dictionary<string, string>? environment = null)
    {
        environment ??= command.Contains("--database", StringComparison.Ordinal)
            ? new Dictionary<string, string> { ["POSTERN_MASTER_KEY"] = Master }
            : [];
        var (code, _, error) = await PosternCommand.RunAsync(command, environment);
        Assert.True(code == 2 && error.Contains(words, StringComparison.Ordinal), $"{command}: {code}\n{error}");
        Assert.DoesNotContain("hunter2", error, StringComparison.Ordinal);
        Assert.False(StackFrame().IsMatch(error), error);
        Assert.StartsWith("postern: ", error, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^\s+at \w", RegexOptions.Multiline)]
    private static partial Regex StackFrame();
}

using Postern.Access;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// The options of a server or a command: from the command line, else the environment, else the defaults.
/// </summary>
internal sealed record ServeOptions(string Data, string Urls, string? Database, bool Dev)
{
    public const string StandardUrls = "http://127.0.0.1:7400";
    public const string StandardData = "data";

    /// <summary>A code for joining a relay before serving, or the URL of a joined one.</summary>
    public string? Relay { get; init; }

    /// <exception cref="SetupException">An address cannot be read.</exception>
    public static ServeOptions From(string? data, string? urls, string? database, bool dev, string? relay = null)
    {
        var folder = Said(data) ?? Variable("POSTERN_DATA") ?? StandardData;
        var listen = ListenUrls.Check(Said(urls) ?? Variable("POSTERN_URLS") ?? StandardUrls);
        return new ServeOptions(folder, listen, DatabaseOf(Said(database), new DataFolder(folder)), dev)
        {
            Relay = Said(relay) ?? Variable("POSTERN_RELAY"),
        };
    }

    public DataFolder Folder => new(Data);

    /// <summary>The settings, with the changes of development mode.</summary>
    public PosternOptions ReadSettings()
    {
        var standard = new PosternOptions();
        if (Dev)
        {
            standard.Outbound.HttpsOnly = false;
            // A person reads this log.
            standard.Log.Format = "text";
        }
        var options = SettingsReader.Read(Folder.Settings, Environment.GetEnvironmentVariables(), standard);
        if (Dev)
            options.Outbound.AllowedNetworks = [.. options.Outbound.AllowedNetworks, "127.0.0.0/8", "::1/128"];
        return options;
    }

    /// <summary>
    /// Returns the master key: from the environment, else from the file beside the embedded database.
    /// </summary>
    /// <exception cref="SetupException">
    /// Nodes on PostgreSQL must be given the one key they share; the file is missing beside a database whose secrets it
    /// opens.</exception>
    public MasterKey ReadMasterKey()
    {
        if (Environment.GetEnvironmentVariable("POSTERN_MASTER_KEY") is { Length: > 0 } text)
        {
            if (!MasterKey.IsTooShort(text))
                return MasterKey.FromText(text);
            throw new SetupException(
                "POSTERN_MASTER_KEY must have at least 32 characters. Make one with: openssl rand -base64 32"
            );
        }
        if (Database is not null)
            throw new SetupException(
                "With --database, every node needs the same master key. Make one with `openssl rand -base64 32` and "
                    + "set POSTERN_MASTER_KEY to it, on all nodes."
            );
        // A new key would open nothing that is there, and would stand in the place of the right one.
        var isSealed = Migrations.IsSealedSqlite(Folder.Database);
        if (!File.Exists(Folder.MasterKey) && isSealed)
        {
            throw new SetupException(
                $"{Folder.MasterKey} is missing: put back the one that belongs to this database, or set "
                    + "POSTERN_MASTER_KEY."
            );
        }
        // Secrets that were sealed with a short key still open; the doctor reports the key.
        if (!isSealed && File.Exists(Folder.MasterKey) && MasterKey.IsTooShort(File.ReadAllText(Folder.MasterKey)))
        {
            throw new SetupException(
                $"{Folder.MasterKey} has fewer than {MasterKey.LeastCharacters} characters: it was cut off, or can be "
                    + "guessed. Delete it and start again, which makes one; or write one: openssl rand -base64 32"
            );
        }
        return MasterKey.FromFile(Folder.MasterKey);
    }

    public DatabaseDriver Driver => DatabaseDriver.Of(Database);

    /// <summary>The place of the database, for its driver.</summary>
    public string Place => Database ?? Folder.Database;

    /// <summary>Opens the database, after bringing it to this binary's schema.</summary>
    public Task<Database> OpenDatabaseAsync(TimeProvider clock, CancellationToken cancel) =>
        Driver.OpenAsync(Place, clock, Terminal.WriteError, cancel);

    /// <summary>
    /// Returns the place of a database server; null for the embedded database. Hosting platforms set
    /// <c>DATABASE_URL</c> for every program. So it is read last, and it does not replace an embedded database that
    /// exists.
    /// </summary>
    private static string? DatabaseOf(string? option, DataFolder folder)
    {
        foreach (
            var (name, text) in ((string, string?)[])
                [
                    ("--database", option),
                    ("POSTERN_DATABASE", Variable("POSTERN_DATABASE")),
                    ("DATABASE_URL", Variable("DATABASE_URL")),
                ]
        )
        {
            if (text is null)
                continue;
            if (name == "DATABASE_URL" && File.Exists(folder.Database))
            {
                throw new SetupException(
                    $"{folder.Path} holds an embedded database, and DATABASE_URL names another. Unset DATABASE_URL "
                        + "to go "
                        + "on with the first, or set POSTERN_DATABASE to it for the second."
                );
            }
            try
            {
                return DatabaseDriver.Read(text.Trim());
            }
            catch (FormatException fault)
            {
                var instead = name == "DATABASE_URL" ? ", or unset it for the embedded database" : "";
                throw new SetupException(
                    $"{name} {fault.Message}. Write it as postgres://USER:PASSWORD@HOST:5432/DATABASE or "
                        + $"\"Host=HOST;Database=DATABASE;Username=USER;Password=PASSWORD\"{instead}."
                );
            }
        }
        return null;
    }

    private static string? Variable(string name) => Said(Environment.GetEnvironmentVariable(name));

    private static string? Said(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;
}

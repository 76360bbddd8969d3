using Npgsql;
using Postern.Access;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>Where a server, or a command beside it, finds its things: from the command line, else the environment, else the defaults.</summary>
internal sealed record ServeOptions(string Data, string Urls, string? Database, bool Dev)
{
    public const string StandardUrls = "http://127.0.0.1:7400";
    public const string StandardData = "data";

    public static ServeOptions From(string? data, string? urls, string? database, bool dev) => new(
        data ?? Environment.GetEnvironmentVariable("POSTERN_DATA") ?? StandardData,
        urls ?? Environment.GetEnvironmentVariable("POSTERN_URLS") ?? StandardUrls,
        Empty(database) ?? Empty(Environment.GetEnvironmentVariable("POSTERN_DATABASE")), dev);

    public DataFolder Folder => new(Data);

    /// <summary>The settings, with what development mode allows.</summary>
    public PosternOptions ReadSettings()
    {
        var standard = new PosternOptions();
        if (Dev)
        {
            standard.Outbound.HttpsOnly = false;
            // A person reads along.
            standard.Log.Format = "text";
        }
        var options = SettingsReader.Read(Folder.Settings, Environment.GetEnvironmentVariables(), standard);
        if (Dev) options.Outbound.AllowedNetworks = [.. options.Outbound.AllowedNetworks, "127.0.0.0/8", "::1/128"];
        return options;
    }

    /// <summary>The master key: from the environment, else the file beside the embedded database.</summary>
    /// <exception cref="SetupException">
    /// Nodes on PostgreSQL must be given the one key they share; the file is missing beside a database whose secrets it
    /// opens.
    /// </exception>
    public MasterKey ReadMasterKey()
    {
        if (Environment.GetEnvironmentVariable("POSTERN_MASTER_KEY") is { Length: > 0 } text)
            return text.Trim().Length >= 32 ? MasterKey.FromText(text) : throw new SetupException("POSTERN_MASTER_KEY must have at least 32 characters. Make one with: openssl rand -base64 32");
        if (Database is not null)
            throw new SetupException("With --database, every node needs the same master key. Make one with `openssl rand -base64 32` and set POSTERN_MASTER_KEY to it, on all nodes.");
        // A fresh key opens nothing of what is there, and would stand where the right one belongs.
        if (!File.Exists(Folder.MasterKey) && Migrations.IsSealedSqlite(Folder.Database))
        {
            throw new SetupException(
                $"{Folder.MasterKey} is missing: put back the one that belongs to this database, or set POSTERN_MASTER_KEY.");
        }
        return MasterKey.FromFile(Folder.MasterKey);
    }

    /// <summary>Opens the database, brought to this binary's schema.</summary>
    /// <exception cref="SetupException">PostgreSQL could not prove who it is.</exception>
    public async Task<Database> OpenDatabaseAsync(TimeProvider clock, CancellationToken cancel)
    {
        if (Database is null)
        {
            Migrations.ApplyToSqlite(Folder.Database);
            return new SqliteDatabase(Folder.Database, clock);
        }
        try
        {
            await Migrations.ApplyToPostgresAsync(Database, cancel, Console.Error.WriteLine);
        }
        catch (NpgsqlException fault) when (PostgresConnection.IsOfTls(fault))
        {
            var why = (fault.InnerException ?? fault).Message;
            throw new SetupException($"The database could not prove who it is: {why} {PostgresConnection.TlsAdvice}");
        }
        var postgres = new PostgresDatabase(Database, clock);
        await postgres.StartAsync(cancel);
        return postgres;
    }

    private static string? Empty(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;
}

using System.Data.Common;
using System.Net;
using System.Security.Authentication;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// The settings of a connection to PostgreSQL: those of the connection string, and our defaults for the rest. A server
/// on another machine must prove its identity by its certificate before it gets the password. The driver's default
/// would send the password to any server that claims to have no TLS.
/// </summary>
internal static class PostgresConnection
{
    private const int StandardPoolSize = 16 + PostgresPlaces.Own;
    private const int StandardPrepared = 64;

    /// <summary>
    /// Reads the text of an operator, a connection string or a <c>postgres://</c> URL, and returns a connection string.
    /// </summary>
    /// <exception cref="FormatException">What is wrong with it, in words that hold no password.</exception>
    public static string Read(string text)
    {
        if (PostgresUrl.Is(text))
            text = PostgresUrl.ToConnectionString(text);
        else if (text.Contains("://", StringComparison.Ordinal))
            throw new FormatException("is a URL of something else");
        try
        {
            SettingsOf(text);
            return text;
        }
        catch (Exception fault) when (fault is ArgumentException or FormatException or KeyNotFoundException)
        {
            // The driver names an unknown keyword. Of a text that it cannot split it repeats nothing.
            var unknown =
                fault is ArgumentException { ParamName: { Length: > 0 } word } && word != "value" ? word : null;
            throw new FormatException(
                unknown is null
                    ? "is no list of NAME=VALUE that are separated by semicolons"
                    : $"says {unknown}, which is not known or cannot have that value",
                fault
            );
        }
    }

    /// <summary>
    /// Makes connections to the server that the settings name; of several hosts, to the one that accepts writes.
    /// </summary>
    public static NpgsqlDataSource Open(NpgsqlConnectionStringBuilder settings)
    {
        // A node writes, so a standby is of no use to it, whatever the text says.
        settings = new NpgsqlConnectionStringBuilder(settings.ToString()) { TargetSessionAttributes = null };
        var builder = new NpgsqlDataSourceBuilder(settings.ToString());
        return HasSeveralHosts(settings)
            ? builder.BuildMultiHost().WithTargetSession(TargetSessionAttributes.ReadWrite)
            : builder.Build();
    }

    /// <exception cref="ArgumentException">The text is no connection string.</exception>
    public static NpgsqlConnectionStringBuilder SettingsOf(string connectionString)
    {
        var given = Given(connectionString);
        var settings = new NpgsqlConnectionStringBuilder(connectionString)
        {
            ApplicationName = "postern",
            IncludeErrorDetail = false,
            // When several statements are sent together, a fault names the one that failed.
            IncludeFailedBatchedCommand = true,
        };
        // More connections than the server has cores only wait for each other inside it. The rest wait here, in order.
        if (!given.ContainsKey("Maximum Pool Size"))
            settings.MaxPoolSize = StandardPoolSize;
        // A host that does not answer is soon passed over. The state of a host is cached for one second, not ten, so
        // that a standby that has become the primary is found quickly.
        var hasSeveral = HasSeveralHosts(settings);
        if (!given.ContainsKey("Timeout"))
            settings.Timeout = hasSeveral ? 1 : 5;
        if (hasSeveral && !given.ContainsKey("Host Recheck Seconds"))
            settings.HostRecheckSeconds = 1;
        // No command changes a session setting, so nothing must be reset; a reset would cost one more statement each
        // time.
        if (!given.ContainsKey("No Reset On Close"))
            settings.NoResetOnClose = true;
        if (!given.ContainsKey("Command Timeout"))
            settings.CommandTimeout = 15;
        if (!given.ContainsKey("SSL Mode") && !IsLocal(settings))
            settings.SslMode = SslMode.VerifyFull;
        return settings;
    }

    /// <summary>
    /// Returns the connection string, fitted to who answers. Statements that are used often are prepared, once a
    /// connection, which halves what most of them cost the database. Behind a pooler they are not: the next statement
    /// may come to another connection of the database, which does not have it. A pooler is recognized by the number of
    /// the connection, which is the pooler's own in place of the database's process. The operator's setting wins.
    /// </summary>
    public static async Task<string> FitAsync(string connectionString, CancellationToken cancel)
    {
        if (Given(connectionString).ContainsKey("Max Auto Prepare"))
            return connectionString;
        await using var source = Open(SettingsOf(connectionString));
        await using var connection = await source.OpenConnectionAsync(cancel);
        await using var command = new NpgsqlCommand("SELECT pg_backend_pid()", connection);
        if (await command.ExecuteScalarAsync(cancel) is not int process || process != connection.ProcessID)
            return connectionString;
        return new NpgsqlConnectionStringBuilder(connectionString) { MaxAutoPrepare = StandardPrepared }.ToString();
    }

    /// <summary>
    /// Returns what could be read or forged on the way to the database, in words for its operator; null when nothing
    /// could.
    /// </summary>
    public static string? WeaknessOf(string connectionString)
    {
        var settings = SettingsOf(connectionString);
        return IsLocal(settings)
            ? null
            : settings.SslMode switch
            {
                SslMode.VerifyFull => null,
                SslMode.VerifyCA => "checks who signed the server's certificate, not whose it is",
                SslMode.Require => "encrypts, but takes any certificate: whoever is in between reads the password",
                _ => "may send the password and all data in clear",
            };
    }

    public const string TlsAdvice =
        "Give its authority as Root Certificate=FILE in the connection string, or another SSL Mode; see docs"
        + "/operating.md.";

    /// <summary>
    /// Returns why texts cannot be stored in this encoding, or null. Only UTF-8 has every character. In any other, the
    /// first request with a character that is missing fails, long after the start.
    /// </summary>
    public static string? WhyNotIn(string encoding) =>
        encoding == "UTF8"
            ? null
            : $"has the encoding {encoding}, which does not hold every text. Make one with UTF8 (createdb "
                + "--encoding=UTF8 --template=template0), and bring what this one holds over with pg_dump";

    /// <summary>
    /// Returns whether a connection failed at TLS: the server has none, or its certificate is not trusted.
    /// </summary>
    public static bool IsOfTls(Exception? fault) =>
        fault is NpgsqlException and not PostgresException
        && (fault.InnerException is AuthenticationException || fault.Message.Contains("SSL", StringComparison.Ordinal));

    private static bool HasSeveralHosts(NpgsqlConnectionStringBuilder settings) =>
        settings.Host?.Contains(',', StringComparison.Ordinal) == true;

    /// <summary>
    /// Returns the settings of a connection string under the driver's first name for each. The typed builder would
    /// return true for every keyword, set or not.
    /// </summary>
    private static DbConnectionStringBuilder Given(string connectionString) =>
        new() { ConnectionString = new NpgsqlConnectionStringBuilder(connectionString).ToString() };

    /// <summary>
    /// Returns whether every host is this machine, by loopback or a socket. The driver may choose any host of a list.
    /// </summary>
    private static bool IsLocal(NpgsqlConnectionStringBuilder settings)
    {
        // Without a host, the driver uses the environment variable, else a socket of this machine or its loopback.
        var hosts = settings.Host ?? Environment.GetEnvironmentVariable("PGHOST") ?? "localhost";
        return hosts.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).All(IsLocal);
    }

    private static bool IsLocal(string host)
    {
        if (host[0] is '/' or '@')
            return true;
        if (IPEndPoint.TryParse(host, out var address))
            return IPAddress.IsLoopback(address.Address);
        return host.Split(':')[0].Equals("localhost", StringComparison.OrdinalIgnoreCase);
    }
}

using System.Data.Common;
using Microsoft.AspNetCore.WebUtilities;
using Npgsql;

namespace Postern.Storage;

/// <summary>
/// Reads an address of PostgreSQL as other programs write it,
/// <c>postgres://user:password@host:5432,host2:5432/database?sslmode=verify-full</c>, and returns the driver's
/// connection string. The names after <c>?</c> are those of libpq, and the driver's own.
/// </summary>
internal static class PostgresUrl
{
    private static readonly string[] Schemes = ["postgres://", "postgresql://"];

    /// <summary>The names that libpq and the driver spell differently.</summary>
    private static readonly Dictionary<string, string> NamesOfLibpq = new(StringComparer.OrdinalIgnoreCase)
    {
        ["user"] = "Username",
        ["dbname"] = "Database",
        ["sslmode"] = "SSL Mode",
        ["sslrootcert"] = "Root Certificate",
        ["sslcert"] = "SSL Certificate",
        ["sslkey"] = "SSL Key",
        ["sslpassword"] = "SSL Password",
        ["sslnegotiation"] = "SSL Negotiation",
        ["connect_timeout"] = "Timeout",
        ["application_name"] = "Application Name",
        ["target_session_attrs"] = "Target Session Attributes",
        ["channel_binding"] = "Channel Binding",
        ["client_encoding"] = "Client Encoding",
        ["krbsrvname"] = "Kerberos Service Name",
        ["gssencmode"] = "GSS Encryption Mode",
    };

    public static bool Is(string text) => SchemeOf(text) is not null;

    /// <summary>Returns the equal connection string.</summary>
    /// <exception cref="FormatException">What is wrong with the URL, in words that hold no password.</exception>
    public static string ToConnectionString(string url)
    {
        var rest = url[(SchemeOf(url) ?? throw new FormatException("is no postgres:// URL")).Length..];
        if (rest.Contains('#', StringComparison.Ordinal))
            throw new FormatException("holds a #: write it as %23");
        var (before, query) = Split(rest, '?');
        var (authority, database) = Split(before, '/');
        var made = new NpgsqlConnectionStringBuilder();
        var at = authority.LastIndexOf('@');
        if (at >= 0)
        {
            var (user, password) = Split(authority[..at], ':');
            if (user.Length > 0)
                made.Username = Decoded(user, "user");
            if (password.Length > 0)
                made.Password = Decoded(password, "password");
        }
        if (Hosts(authority[(at + 1)..]) is { Length: > 0 } hosts)
            made.Host = hosts;
        if (database.Length > 0)
            made.Database = Decoded(database, "database");
        foreach (var (name, values) in QueryHelpers.ParseQuery(query))
        {
            if (values is not [{ } value])
                throw new FormatException($"says {name} more than once");
            Set(made, name, value);
        }
        return made.ToString();
    }

    private static string? SchemeOf(string text) =>
        Array.Find(Schemes, scheme => text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase));

    private static (string Before, string After) Split(string text, char separator) =>
        text.IndexOf(separator, StringComparison.Ordinal) is >= 0 and var at
            ? (text[..at], text[(at + 1)..])
            : (text, "");

    private static string Decoded(string text, string what)
    {
        for (var at = text.IndexOf('%', StringComparison.Ordinal); at >= 0; at = text.IndexOf('%', at + 1))
        {
            if (at + 2 >= text.Length || !char.IsAsciiHexDigit(text[at + 1]) || !char.IsAsciiHexDigit(text[at + 2]))
                throw new FormatException($"holds a % in its {what} that begins no %XX: write it as %25");
        }
        return Uri.UnescapeDataString(text);
    }

    /// <summary>Several hosts are separated by commas; each has its own port.</summary>
    private static string Hosts(string list)
    {
        if (list.Length == 0)
            return "";
        foreach (var host in list.Split(','))
        {
            if (host.Length == 0)
                throw new FormatException("has a host without a name");
            var end = host[0] == '[' ? host.IndexOf(']', StringComparison.Ordinal) : 0;
            if (end < 0)
                throw new FormatException("has a [ without its ]");
            var port = host.IndexOf(':', end) is >= 0 and var colon ? host[(colon + 1)..] : null;
            if (port is not null && !(ushort.TryParse(port, out var number) && number > 0))
                throw new FormatException("has a port that is no number from 1 to 65535");
        }
        // The folder of a socket is written %2Fvar%2Frun, because a slash would end the host.
        return Decoded(list, "host");
    }

    private static void Set(NpgsqlConnectionStringBuilder made, string name, string value)
    {
        if (name.Equals("sslrootcert", StringComparison.OrdinalIgnoreCase) && value == "system")
            return;
        if (name.Equals("sslmode", StringComparison.OrdinalIgnoreCase))
            value = value.Replace("-", "", StringComparison.Ordinal);
        try
        {
            ((DbConnectionStringBuilder)made)[NamesOfLibpq.GetValueOrDefault(name, name)] = value;
        }
        catch (Exception fault) when (fault is ArgumentException or KeyNotFoundException or FormatException)
        {
            throw new FormatException($"says {name}, which is not known or cannot be \"{value}\"", fault);
        }
    }
}

using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Npgsql;
using Postern.Hosting;
using Postern.Storage;

namespace Postern.Tests.Storage;

/// <summary>Which servers get the database's password.</summary>
public sealed class PostgresConnectionTests
{
    [Theory]
    [InlineData("Host=db.example.com", SslMode.VerifyFull)]
    [InlineData("Server=10.0.0.5", SslMode.VerifyFull)]
    [InlineData("Host=db.example.com:5433", SslMode.VerifyFull)]
    [InlineData("Host=127.0.0.1,db.example.com", SslMode.VerifyFull)]
    [InlineData("Host=[2001:db8::5]:5432", SslMode.VerifyFull)]
    [InlineData("Host=localhost.example.com", SslMode.VerifyFull)]
    [InlineData("Host=127.0.0.1.example.com", SslMode.VerifyFull)]
    [InlineData("Host=db;Password=SSL Mode", SslMode.VerifyFull)]
    [InlineData("Host=127.0.0.1", SslMode.Prefer)]
    [InlineData("Host=127.0.0.1:5433", SslMode.Prefer)]
    [InlineData("Host=::1", SslMode.Prefer)]
    [InlineData("Host=[::1]:5433", SslMode.Prefer)]
    [InlineData("Host=LOCALHOST", SslMode.Prefer)]
    [InlineData("Host=/var/run/postgresql", SslMode.Prefer)]
    [InlineData("Host=/tmp,localhost:5433", SslMode.Prefer)]
    [InlineData("Host=db;SSL Mode=Disable", SslMode.Disable)]
    [InlineData("Host=db;sslmode=prefer", SslMode.Prefer)]
    [InlineData("Host=db;SslMode=Require", SslMode.Require)]
    [InlineData("Host=db;ssl mode=VerifyCA", SslMode.VerifyCA)]
    public void A_server_on_another_machine_shows_its_certificate_unless_a_mode_is_said(
        string connection,
        SslMode mode
    ) => Assert.Equal(mode, PostgresConnection.SettingsOf(connection).SslMode);

    [Theory]
    [InlineData("Host=db;Database=postern", null)]
    [InlineData("Host=localhost;SSL Mode=Disable", null)]
    [InlineData("Host=db;SSL Mode=Disable", "in clear")]
    [InlineData("Host=db;SSL Mode=Prefer", "in clear")]
    [InlineData("Host=db;SSL Mode=Require", "any certificate")]
    [InlineData("Host=db;SSL Mode=VerifyCA", "whose it is")]
    public void The_doctor_has_words_for_a_weaker_mode(string connection, string? says)
    {
        if (says is null)
            Assert.Null(PostgresConnection.WeaknessOf(connection));
        else
            Assert.Contains(says, PostgresConnection.WeaknessOf(connection), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_says_it_has_no_tls_never_sees_the_password_unless_the_mode_was_chosen()
    {
        using var impostor = new Impostor();
        var connection =
            $"Host={Dns.GetHostName()};Port={impostor.Port};Username=postern;Password=PGSECRET;Pooling=false";
        var serve = new ServeOptions("unused", "http://127.0.0.1:0", connection, Dev: false);
        var fault = await Assert.ThrowsAsync<NpgsqlException>(() =>
            serve.OpenDatabaseAsync(TimeProvider.System, default)
        );
        // The part of it that the program prints when it starts.
        var words = DatabaseDriver.ExplainAny(fault);
        Assert.Contains("SSL Mode", words, StringComparison.Ordinal);
        Assert.Contains("Root Certificate", words, StringComparison.Ordinal);
        Assert.Contains("SSLRequest", impostor.Seen, StringComparison.Ordinal);
        Assert.DoesNotContain("PGSECRET", impostor.Seen, StringComparison.Ordinal);

        await using var chosen = PostgresDatabase.CreateSource(connection + ";SSL Mode=Disable");
        await Assert.ThrowsAnyAsync<NpgsqlException>(async () => await chosen.OpenConnectionAsync());
        Assert.Contains("PGSECRET", impostor.Seen, StringComparison.Ordinal);
    }

    /// <summary>
    /// A server in place of the database. It has no TLS, asks for the password in plain text, keeps what it receives,
    /// and disconnects.
    /// </summary>
    private sealed class Impostor : IDisposable
    {
        private const int SslRequest = 80877103;
        private readonly TcpListener _listener = new(IPAddress.IPv6Any, 0);
        private readonly StringBuilder _seen = new();

        public Impostor()
        {
            _listener.Server.DualMode = true;
            _listener.Start();
            _ = Task.Run(async () =>
            {
                while (true)
                {
                    using var client = await _listener.AcceptTcpClientAsync();
                    await ListenAsync(client.GetStream());
                }
            });
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public string Seen
        {
            get
            {
                lock (_seen)
                    return _seen.ToString();
            }
        }

        public void Dispose() => _listener.Dispose();

        private async Task ListenAsync(NetworkStream stream)
        {
            var buffer = new byte[4096];
            try
            {
                while (await stream.ReadAsync(buffer) is > 0 and var read)
                {
                    var asks = read == 8 && BinaryPrimitives.ReadInt32BigEndian(buffer.AsSpan(4)) == SslRequest;
                    lock (_seen)
                        _seen.Append(asks ? "SSLRequest" : Encoding.Latin1.GetString(buffer, 0, read));
                    if (buffer[0] == 'p')
                        return;
                    // "N": no TLS. Else AuthenticationCleartextPassword.
                    await stream.WriteAsync(asks ? "N"u8.ToArray() : [(byte)'R', 0, 0, 0, 8, 0, 0, 0, 3]);
                }
            }
            catch (IOException)
            {
                // The client has disconnected.
            }
        }
    }

    [Theory]
    [InlineData("postgres://ada:p%40ss%3Aword@db.example:6432/door", "db.example", 6432, "ada", "p@ss:word", "door")]
    [InlineData("POSTGRESQL://db/door", "db", 5432, null, null, "door")]
    [InlineData("postgres://ada@%2Fvar%2Frun%2Fpostgresql/door", "/var/run/postgresql", 5432, "ada", null, "door")]
    [InlineData("postgres://ada@[::1]:6432/door", "[::1]:6432", 5432, "ada", null, "door")]
    [InlineData("postgres://a:b@one:1,two:2/door", "one:1,two:2", 5432, "a", "b", "door")]
    [InlineData("postgres:///door?host=/run/pg&user=ada", "/run/pg", 5432, "ada", null, "door")]
    public void A_URL_says_what_the_connection_string_says(
        string url,
        string host,
        int port,
        string? user,
        string? password,
        string database
    )
    {
        var settings = new NpgsqlConnectionStringBuilder(PostgresConnection.Read(url));
        // A host with its port is one item of the driver's list.
        var hostAndPort =
            host.Contains(':', StringComparison.Ordinal) ? host
            : port == 5432 ? host
            : $"{host}:{port}";
        Assert.Equal(hostAndPort, settings.Host);
        Assert.Equal((user, password, database), (settings.Username, settings.Password, settings.Database));
    }

    [Theory]
    [InlineData("sslmode=verify-full", SslMode.VerifyFull)]
    [InlineData("sslmode=verify-ca", SslMode.VerifyCA)]
    [InlineData("sslmode=disable", SslMode.Disable)]
    [InlineData("connect_timeout=9", SslMode.VerifyFull)]
    public void A_URL_keeps_what_it_says_of_TLS_and_is_verified_where_it_says_nothing(string query, SslMode mode)
    {
        Assert.Equal(
            mode,
            PostgresConnection.SettingsOf(PostgresConnection.Read($"postgres://db/door?{query}")).SslMode
        );
    }
}

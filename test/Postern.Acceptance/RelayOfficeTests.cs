using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// A server as in an office: a network without a route, whose only way out is a proxy that connects (CONNECT) to the
/// relay's TLS. It listens nowhere.
/// </summary>
public sealed class RelayOfficeTests
{
    [Fact]
    public async Task A_server_with_one_way_out_and_no_socket_that_listens_answers_through_its_relay()
    {
        var folder = Directory.CreateTempSubdirectory("postern-office-").FullName;
        await using var office = await NetworkNamespace.MakeAsync();
        var (tls, connect) = (PostgresServer.FreePort(), PostgresServer.FreePort());
        var url = $"https://{office.Outside}:{tls}";
        var (authority, pem) = Certificates(folder, office.Outside);
        var outside = new Dictionary<string, string>
        {
            ["POSTERN_PublicUrl"] = url,
            ["POSTERN_RelayServer__TrustedProxies__0"] = "127.0.0.0/8",
        };
        var port = PostgresServer.FreePort();
        var ofRelay = $"--data {folder}/relay --urls http://127.0.0.1:{port}";
        await using var relay = await ServerProcess.StartAsync(ofRelay, outside, command: "relay serve");
        await using var front = await FrontServer.HaproxyAsync(tls, [port], $"ssl crt {pem}");
        await using var proxy = await FrontServer.ConnectProxyAsync(connect);

        // The trigger is made before the server is isolated.
        string key;
        await using (var first = await ServerProcess.StartAsync($"--data {folder}/plane --urls http://127.0.0.1:0"))
        {
            key = first.RootKey;
            using var http = first.Client(key);
            (await http.PutAsJsonAsync("/api/v1/agents/idle", new { kind = "pull" })).EnsureSuccessStatusCode();
            var trigger = new { agent = "idle", promptTemplate = "{{body}}" };
            (await http.PostAsJsonAsync("/api/triggers/user/u/open", trigger)).EnsureSuccessStatusCode();
            Assert.Equal(0, await first.TerminateAsync());
        }
        var (code, enrolment, error) = await PosternCommand.RunAsync($"relay enrol office {ofRelay}", outside);
        Assert.True(code == 0, error);
        Assert.StartsWith(url, enrolment, StringComparison.Ordinal);
        var inside = new Dictionary<string, string>
        {
            [PosternCommand.Program] = await office.ProgramAsync(folder, $"dotnet {PosternCommand.Path}"),
            ["SSL_CERT_FILE"] = authority,
            ["POSTERN_Outbound__Proxy"] = $"http://{office.Outside}:{connect}",
        };
        await using var server = await ServerProcess.StartAsync(
            $"--data {folder}/plane --urls none --relay \"{enrolment.Trim()}\"",
            inside
        );
        await server.SaysAsync("by websocket");

        var (_, planes, _) = await PosternCommand.RunAsync($"relay planes {ofRelay}", outside);
        var target = $"http://127.0.0.1:{port}/p/{planes.Split(' ')[0]}/inbound/user/u/open";
        using var sender = new HttpClient();
        await WaitFor.TrueAsync(async () =>
            (await sender.GetAsync(target)).StatusCode == HttpStatusCode.MethodNotAllowed
        );
        using var body = new StringContent("{\"from\":\"outside\"}", Encoding.UTF8, "application/json");
        using var answer = await sender.PostAsync(target, body);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);

        // By the kernel's own tables: nothing listens there, and all connections go to the proxy.
        Assert.Empty(Lines(await office.RunAsync("ss -Hltn")));
        var open = Lines(await office.RunAsync("ss -Htn state established"));
        Assert.NotEmpty(open);
        var way = $"{office.Outside}]:{connect}";
        Assert.All(open, line => Assert.Contains(way, line, StringComparison.Ordinal));
        Assert.Contains($"CONNECT {office.Outside}:{tls}", proxy.Log("log"), StringComparison.Ordinal);
        Assert.Empty(Lines(await office.RunAsync("ip route show default")));

        // The doctors of both sides report the same.
        var doctor = await PosternCommand.RunAsync($"doctor --data {folder}/plane --urls http://127.0.0.1:0", inside);
        Assert.Contains($"takes this server as {planes.Split(' ')[0]} through http://", doctor.Out);
        Assert.Contains("is reached by a WebSocket", doctor.Out, StringComparison.Ordinal);
        Assert.Contains("1 connections there, one of which answers; 0 requests wait, 0 %", doctor.Out);
        Assert.Contains("its clock and this one are 0 s apart", doctor.Out, StringComparison.Ordinal);
        doctor = await PosternCommand.RunAsync($"doctor {ofRelay}", outside);
        Assert.Contains("is connected; its backlog is 0 % full", doctor.Out, StringComparison.Ordinal);
        Assert.Contains($"codes and receipts name {url}", doctor.Out, StringComparison.Ordinal);
        Assert.Contains("MiB are free on its disk", doctor.Out, StringComparison.Ordinal);
        Assert.Contains("websocket from", planes, StringComparison.Ordinal);
        Assert.Equal(0, await server.TerminateAsync());
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>A certificate authority of the test's own, with a certificate for an address.</summary>
    private static (string Authority, string Pem) Certificates(string folder, string address)
    {
        var (from, until) = (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=The test's authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var authority = request.CreateSelfSigned(from, until);
        using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var asked = new CertificateRequest("CN=relay", own, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Parse(address));
        asked.CertificateExtensions.Add(names.Build());
        using var certificate = asked.Create(authority, from, until, [1, 2, 3, 4]);
        var (file, pem) = (Path.Combine(folder, "authority.pem"), Path.Combine(folder, "relay.pem"));
        File.WriteAllText(file, authority.ExportCertificatePem());
        File.WriteAllText(pem, certificate.ExportCertificatePem() + "\n" + own.ExportPkcs8PrivateKeyPem() + "\n");
        return (file, pem);
    }
}

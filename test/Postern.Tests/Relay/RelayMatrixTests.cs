using Postern.Access;
using Postern.Relay.Protocol;
using Postern.Support;

namespace Postern.Tests.Relay;

/// <summary>Each door of a relay with each credential: it opens only for those that it names.</summary>
public sealed class RelayMatrixTests
{
    [Fact]
    public async Task A_relay_has_no_door_of_a_server()
    {
        await using var relay = await RelayNode.StartAsync();
        await using var server = await TestServer.StartAsync();
        var own = relay.Doors.Table.Select(d => d.Path).ToHashSet(StringComparer.Ordinal);
        var both = server.Doors.Table.Where(d => own.Contains(d.Path)).Select(d => d.Path).Distinct().Order();
        Assert.Equal(["/", "/api/v1/audit", "/docs/{**page}", "/healthz", "/openapi.json", "/readyz"], both);
        foreach (var door in server.Doors.Table.Where(d => !own.Contains(d.Path)))
        {
            var path = System.Text.RegularExpressions.Regex.Replace(door.Path, "{[^}]+}", "x");
            var method = new HttpMethod(door.Method == Door.AnyMethod ? "POST" : door.Method);
            var answer = await relay.SendAsync(method, path, null, ("Authorization", "Bearer " + relay.RootKey));
            Assert.True(answer.Status == 404, $"{method} {path}: {answer}");
        }
    }

    [Fact]
    public async Task Every_door_but_the_open_ones_wants_its_own_credential()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        var admin = ("Authorization", "Bearer " + relay.RootKey);
        var narrow = await NarrowKeyAsync(relay);
        foreach (var door in relay.Doors.Table.Where(d => d.Credentials != Credentials.Anyone))
        {
            var path = door
                .Path.Replace("{plane}", plane.Id, StringComparison.Ordinal)
                .Replace("{token}", new string('A', 43), StringComparison.Ordinal);
            var method = new HttpMethod(door.Method);
            var asPlane = ("Authorization", plane.Authorize(door.Method, path, []).ToString());
            foreach (
                var (kind, opens, header) in new (string, Credentials, (string, string))[]
                {
                    ("nothing", 0, ("X-Nothing", "1")),
                    ("the root key", Credentials.Key, admin),
                    ("a plane", Credentials.Plane, asPlane),
                    ("a key that is none", 0, ("Authorization", "Bearer pst_live_x_y_z")),
                    ("a session of the console", 0, ("Cookie", "postern_console=" + new string('A', 43))),
                }
            )
            {
                if (door.Credentials == opens)
                    continue;
                var answer = await relay.SendAsync(method, path, null, header);
                var expected = door.Credentials switch
                {
                    // Their credential is not a header: it is in the path or the body.
                    Credentials.Receipt => 404,
                    Credentials.Code => 400,
                    _ when path == "/relay/v1/connect" => 426,
                    _ => 401,
                };
                Assert.True(answer.Status == expected, $"{method} {path} with {kind}: {answer}");
            }
            if (door.Credentials == Credentials.Key)
                Assert.Equal(403, (await relay.SendAsync(method, path, null, ("Authorization", narrow))).Status);
        }
    }

    [Fact]
    public async Task An_owner_makes_codes_sees_planes_and_bounds_them()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync(new { name = "office", envelopes = 500 });
        foreach (
            var (asked, field) in new (object, string)[]
            {
                (new { }, "name"),
                (new { name = "" }, "name"),
                (new { name = "x", forSeconds = 0 }, "forSeconds"),
                (new { name = "x", forSeconds = 86_401 }, "forSeconds"),
                (new { name = "x", envelopes = 1 }, "envelopes"),
                (new { name = "x", bytes = 1 }, "bytes"),
            }
        )
        {
            var wrong = await relay.AdminAsync(HttpMethod.Post, "/relay/v1/codes", asked);
            Assert.Equal(400, wrong.Status);
            Assert.Contains(field, wrong.Text, StringComparison.Ordinal);
        }
        var foreign = await relay.AdminAsync(HttpMethod.Post, "/relay/v1/codes", new { name = "x", plane = "pln_no" });
        Assert.Equal(404, foreign.Status);
        await using var session = await plane.ConnectAsync();
        var at = "/relay/v1/planes/" + plane.Id;
        var shown = await relay.AdminAsync(HttpMethod.Get, at);
        Assert.Equal("office", shown.String("name"));
        Assert.Equal(500, shown.Json.GetProperty("quota").GetProperty("envelopes").GetInt64());
        Assert.Equal("websocket", shown.Json.GetProperty("connections")[0].GetProperty("transport").GetString());
        var changed = await relay.AdminAsync(HttpMethod.Patch, at, new { envelopes = 700 });
        Assert.Equal(700, changed.Json.GetProperty("quota").GetProperty("envelopes").GetInt64());
        Assert.Equal(400, (await relay.AdminAsync(HttpMethod.Patch, at, new { envelopes = 1 })).Status);
        Assert.Equal(400, (await relay.AdminAsync(HttpMethod.Delete, at + "?keep=perhaps")).Status);
        Assert.Equal(404, (await relay.AdminAsync(HttpMethod.Get, "/relay/v1/planes/pln_no")).Status);
        var listed = await relay.AdminAsync(HttpMethod.Get, "/relay/v1/planes?limit=1");
        Assert.Equal(1, listed.Json.GetProperty("data").GetArrayLength());
        var audit = await relay.AuditAsync();
        foreach (var action in new[] { "relay.code.created", "relay.plane.enrolled", "relay.connected", "relay.quota" })
            Assert.Contains(action, audit);
    }

    [Fact]
    public async Task The_public_keys_check_what_the_relay_signs()
    {
        await using var relay = await RelayNode.StartAsync();
        using var plane = await relay.JoinAsync();
        var keys = (await relay.SendAsync(HttpMethod.Get, "/relay/v1/key")).Json.GetProperty("keys");
        Assert.Equal(plane.RelayKey.Id, keys[0].GetProperty("kid").GetString());
        var point = new Microsoft.IdentityModel.Tokens.JsonWebKey(keys[0].GetRawText());
        Assert.Equal(P256PublicKey.Size - 1, Decode(point.X).Length + Decode(point.Y).Length);
        Assert.Equal(plane.RelayKey.Point[1..].ToArray(), Decode(point.X).Concat(Decode(point.Y)));

        static byte[] Decode(string text) => System.Buffers.Text.Base64Url.DecodeFromChars(text);
    }

    private static async Task<string> NarrowKeyAsync(RelayNode relay)
    {
        var project = (await relay.Get<Projects>().DefaultAsync())!;
        var made = await relay
            .Get<KeyAdmin>()
            .CreateAsync(project, "narrow", "live", ["read:sessions"], null, "test")
            .ValueAsync();
        return "Bearer " + made.Key.Text;
    }
}

using System.Text;
using Postern.Relay.Protocol;

namespace Postern.Tests.Relay;

/// <summary>Frames, envelopes, handshakes, enrolment and receipts, as both sides make and check them.</summary>
public sealed class ProtocolTests : IDisposable
{
    private readonly P256Key _relay = P256Key.Make();
    private readonly P256Key _plane = P256Key.Make();
    private readonly P256Key _open = P256Key.Make();

    public void Dispose()
    {
        _relay.Dispose();
        _plane.Dispose();
        _open.Dispose();
    }

    public static TheoryData<string> Kinds =>
        ["ready", "holder", "envelope", "answer", "settled", "gone", "doors", "kept", "ping", "bye"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_frame_comes_as_it_was_sent(string kind)
    {
        var head = Heads()[kind];
        var bytes = new Frame(head, "a body\nwith lines"u8.ToArray()).Encode(_relay, RelaySignature.ToPlane);
        var line = Encoding.UTF8.GetString(bytes).Split('\n')[1];
        Assert.Contains($"\"f\":\"{kind}\"", line, StringComparison.Ordinal);
        Assert.True(Frame.Read(bytes, RelaySignature.ToPlane, _relay.Public).Try(out var read, out _));
        Assert.Equal("a body\nwith lines", Encoding.UTF8.GetString(read.Body.Span));
        Assert.IsType(head.GetType(), read.Head);
        Assert.Equal(
            System.Text.Json.JsonSerializer.Serialize(head, FrameHead.Json),
            System.Text.Json.JsonSerializer.Serialize(read.Head, FrameHead.Json)
        );
    }

    [Fact]
    public void A_frame_is_of_one_signer_one_direction_and_unaltered()
    {
        var bytes = new Frame(new PingHead(1, 2), "body"u8.ToArray()).Encode(_relay, RelaySignature.ToPlane);
        Assert.Equal(FrameFault.BadSignature, Frame.Read(bytes, RelaySignature.ToRelay, _relay.Public).Fault);
        Assert.Equal(FrameFault.BadSignature, Frame.Read(bytes, RelaySignature.ToPlane, _plane.Public).Fault);
        Assert.Equal(FrameFault.BadSignature, Frame.Read(bytes, RelaySignature.ToPlane).Fault);
        Assert.True(Frame.Read(bytes, RelaySignature.ToPlane, _plane.Public, _relay.Public).Try(out _, out _));
        for (var i = 0; i < bytes.Length; i++)
        {
            var altered = bytes.ToArray();
            altered[i] ^= 1;
            Assert.False(Frame.Read(altered, RelaySignature.ToPlane, _relay.Public).Try(out _, out _), $"byte {i}");
        }
        for (var length = 0; length < bytes.Length; length++)
            Assert.False(
                Frame.Read(bytes.AsMemory(0, length), RelaySignature.ToPlane, _relay.Public).Try(out _, out _)
            );
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("{\"f\":1}")]
    [InlineData("{\"f\":\"ping\"}")]
    [InlineData("{\"f\":\"ping\",\"n\":1,\"time\":\"2\"}")]
    [InlineData("{\"f\":\"settled\",\"ids\":null}")]
    [InlineData("{\"f\":\"ping\",\"n\":1,\"time\":2} {}")]
    [InlineData("{\"f\":\"ping\",\"n\":1,\"time\":2,\"x\":[[[[[[[[[[1]]]]]]]]]]}")]
    [InlineData("\u00ff")]
    public void A_signed_frame_without_a_valid_head_is_refused(string head)
    {
        var signed = Encoding.Latin1.GetBytes(head + "\nbody");
        var signature = RelaySignature.Sign(_relay, RelaySignature.ToPlane, signed);
        byte[] bytes = [.. Encoding.ASCII.GetBytes(signature + "\n"), .. signed];
        Assert.Equal(FrameFault.Malformed, Frame.Read(bytes, RelaySignature.ToPlane, _relay.Public).Fault);
    }

    [Fact]
    public void A_later_version_may_say_more()
    {
        Assert.Equal(new PingHead(1, 2), FrameHead.TryRead("""{"n":1,"more":{"a":1},"time":2,"f":"ping"}"""u8));
        Assert.Equal(new UnknownHead("sing"), FrameHead.TryRead("""{"f":"sing","n":1}"""u8));
    }

    [Fact]
    public void A_frame_has_bounds_on_both_sides()
    {
        var body = new byte[RelayLimits.Frame - RelaySignature.Length - 2 - 30];
        var ping = new PingHead(1, 2);
        Assert.True(
            Frame
                .Read(
                    new Frame(ping, body).Encode(_relay, RelaySignature.ToPlane),
                    RelaySignature.ToPlane,
                    _relay.Public
                )
                .Try(out _, out _)
        );
        Assert.Throws<InvalidOperationException>(() =>
            new Frame(ping, new byte[RelayLimits.Frame]).Encode(_relay, RelaySignature.ToPlane)
        );
        Assert.Throws<InvalidOperationException>(() =>
            new Frame(new SettledHead([new string('x', RelayLimits.Head)])).Encode(_relay, RelaySignature.ToPlane)
        );
        Assert.Equal(
            FrameFault.TooLarge,
            Frame.Read(new byte[RelayLimits.Frame + 1], RelaySignature.ToPlane, _relay.Public).Fault
        );
    }

    [Fact]
    public void An_envelope_opens_for_its_plane_under_its_own_name_only()
    {
        var body = new byte[256];
        for (var i = 0; i < body.Length; i++)
            body[i] = (byte)i;
        var request = new RelayedRequest(
            "POST",
            "/api/v1/inbound/a%2Fb?x=\u00e9",
            "198.51.100.7",
            [
                ["X-Twice", "one"],
                ["x-twice", "t\u00fco"],
                ["X-Empty", ""],
            ],
            body
        );
        var frame = EnvelopeSeal.Seal(_open.Public, Envelope(), request);
        var bytes = frame.Encode(_relay, RelaySignature.ToPlane);
        Assert.True(Frame.Read(bytes, RelaySignature.ToPlane, _relay.Public).Try(out var read, out _));
        var head = Assert.IsType<EnvelopeHead>(read.Head);
        var opened = EnvelopeSeal.TryOpen(_open, head, read.Body.Span);
        Assert.NotNull(opened);
        Assert.Equal((request.Method, request.Target, request.Source), (opened.Method, opened.Target, opened.Source));
        Assert.Equal(request.Headers.SelectMany(h => h), opened.Headers.SelectMany(h => h));
        Assert.Equal(body, opened.Body.ToArray());
        foreach (
            var other in new[]
            {
                head with
                {
                    Id = "env_other",
                },
                head with
                {
                    Seq = 8,
                },
                head with
                {
                    ReceivedAt = 1,
                },
                head with
                {
                    Plane = "pln_other",
                },
                head with
                {
                    Relay = "rly_other",
                },
                head with
                {
                    Enc = _plane.Public.Text,
                },
                head with
                {
                    Key = _plane.Public.Id,
                },
            }
        )
            Assert.Null(EnvelopeSeal.TryOpen(_open, other, read.Body.Span));
        Assert.Null(EnvelopeSeal.TryOpen(_plane, head with { Key = _plane.Public.Id }, read.Body.Span));
    }

    [Theory]
    [InlineData("GET /", "/a", "x", "y")]
    [InlineData("post", "/a", "x", "y")]
    [InlineData("POST", "a", "x", "y")]
    [InlineData("POST", "/a b", "x", "y")]
    [InlineData("POST", "/a\r\nX: 1", "x", "y")]
    [InlineData("POST", "/\u0100", "x", "y")]
    [InlineData("POST", "/a", "x:", "y")]
    [InlineData("POST", "/a", "", "y")]
    [InlineData("POST", "/a", "x", "y\r\nX: 1")]
    [InlineData("POST", "/a", "x", "\u0100")]
    public void A_request_that_could_become_another_one_is_refused(
        string method,
        string target,
        string name,
        string value
    )
    {
        var request = new RelayedRequest(
            method,
            target,
            "",
            [
                [name, value],
            ],
            ReadOnlyMemory<byte>.Empty
        );
        Assert.Null(RelayedRequest.TryRead(request.ToBytes()));
    }

    [Fact]
    public void A_handshake_is_of_one_plane_for_one_request()
    {
        var target = new HandshakeTarget("POST", "rly_1", "/relay/v1/poll", "body"u8.ToArray());
        var made = PlaneAuthorization.Make(_plane, "pln_1", "node-1", 1_800_000_000_000, target);
        var read = PlaneAuthorization.TryParse(made.ToString());
        Assert.Equal(made, read);
        Assert.True(read!.IsBy(_plane.Public, target));
        Assert.False(read.IsBy(_open.Public, target));
        foreach (
            var other in new[]
            {
                target with
                {
                    Method = "GET",
                },
                target with
                {
                    Relay = "rly_2",
                },
                target with
                {
                    Path = "/relay/v1/send",
                },
                target with
                {
                    Body = "Body"u8.ToArray(),
                },
            }
        )
            Assert.False(read.IsBy(_plane.Public, other));
        Assert.False((read with { Time = read.Time + 1 }).IsBy(_plane.Public, target));
        Assert.False((read with { Node = "node-2" }).IsBy(_plane.Public, target));
        Assert.False((read with { Nonce = PlaneAuthorization.NewNonce() }).IsBy(_plane.Public, target));
    }

    [Theory]
    [InlineData("plane=a, ", "")]
    [InlineData("plane=a", "plane=a, plane=a")]
    [InlineData("plane=a", "plane=a, more=b")]
    [InlineData("time=1", "time=01")]
    [InlineData("time=1", "time=-")]
    [InlineData("nonce=AAAAAAAAAAAAAAAAAAAAAA", "nonce=AAAAAAAAAAAAAAAAAAAAAB")]
    [InlineData("nonce=AAAAAAAAAAAAAAAAAAAAAA", "nonce=AAAA")]
    [InlineData("node=n", "node=n n")]
    [InlineData("Postern-Plane ", "Bearer ")]
    public void An_invalid_handshake_is_refused(string part, string instead)
    {
        const string Right = "Postern-Plane plane=a, key=k, node=n, time=1, nonce=AAAAAAAAAAAAAAAAAAAAAA, signature=s";
        Assert.NotNull(PlaneAuthorization.TryParse(Right));
        Assert.Null(PlaneAuthorization.TryParse(Right.Replace(part, instead, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_refusal_counts_only_from_the_pinned_relay_for_this_handshake()
    {
        var target = new HandshakeTarget("GET", "rly_1", "/relay/v1/connect", default);
        var asked = PlaneAuthorization.Make(_plane, "pln_1", "n", 1, target);
        var refusal = HandshakeRefusal.Make(_relay, "rly_1", asked, HandshakeRefusal.Revoked, 7);
        Assert.True(refusal.IsBy(_relay.Public, "rly_1", asked));
        Assert.False(refusal.IsBy(_plane.Public, "rly_1", asked));
        Assert.False(refusal.IsBy(_relay.Public, "rly_2", asked));
        Assert.False((refusal with { Code = HandshakeRefusal.ClockSkew }).IsBy(_relay.Public, "rly_1", asked));
        Assert.False((refusal with { Time = 8 }).IsBy(_relay.Public, "rly_1", asked));
        var again = PlaneAuthorization.Make(_plane, "pln_1", "n", 1, target);
        Assert.False(refusal.IsBy(_relay.Public, "rly_1", again));
    }

    [Fact]
    public void A_code_and_its_proofs_bind_both_sides()
    {
        var code = new EnrolmentCode(
            "https://relay.example/",
            "01arz3ndektsv4rrffq69g5fav",
            EnrolmentCode.NewSecret(),
            _relay.Public.Fingerprint
        );
        Assert.Equal(code, EnrolmentCode.TryParse(code.ToString()));
        Assert.Equal("prc_01arz3ndektsv4rrffq69g5fav", code.Name);
        var join = JoinRelay.Make(code, "a plane", _plane, _open.Public);
        Assert.DoesNotContain(code.Secret, join.ToString(), StringComparison.Ordinal);
        Assert.Equal(EnrolmentProof.OfPlane(code.Secret, _relay.Public.Fingerprint, join), join.Proof);
        Assert.True(join.IsSignedBy(_plane.Public));
        Assert.False(join.IsSignedBy(_open.Public));
        Assert.False((join with { Name = "another" }).IsSignedBy(_plane.Public));
        Assert.NotEqual(
            join.Proof,
            EnrolmentProof.OfPlane(code.Secret, _relay.Public.Fingerprint, join with { Open = _plane.Public.Text })
        );

        var key = _relay.Public.Text;
        var proof = EnrolmentProof.OfRelay(code.Secret, "pln_1", key, join);
        var joined = new JoinedRelay("pln_1", "rly_1", key, "https://relay.example/p/pln_1", proof);
        Assert.Equal(key, joined.KeyFor(code, join)?.Text);
        Assert.Null((joined with { Plane = "pln_2" }).KeyFor(code, join));
        // Somebody who has read the code's secret on the way is not the relay that the code names.
        var theirs = _plane.Public.Text;
        var forged = EnrolmentProof.OfRelay(code.Secret, "pln_1", theirs, join);
        Assert.Null((joined with { Key = theirs, Proof = forged }).KeyFor(code, join));
    }

    [Theory]
    [InlineData("")]
    [InlineData("https://relay.example/")]
    [InlineData("https://relay.example/#prc_a_b_c")]
    [InlineData("ftp://relay.example/#prc_01arz3ndektsv4rrffq69g5fav_{0}_00112233445566778899aabbccddeeff")]
    [InlineData("https://a:b@relay.example/#prc_01arz3ndektsv4rrffq69g5fav_{0}_00112233445566778899aabbccddeeff")]
    [InlineData("https://relay.example/?x#prc_01arz3ndektsv4rrffq69g5fav_{0}_00112233445566778899aabbccddeeff")]
    [InlineData("https://relay.example/#prc_01arz3ndektsv4rrffq69g5fav_{0}_00112233445566778899aabbccddeefg")]
    [InlineData("https://relay.example/#prc_01arz3ndektsv4rrffq69g5fav_{0}0_00112233445566778899aabbccddeeff")]
    public void An_invalid_code_is_refused(string text) =>
        Assert.Null(EnrolmentCode.TryParse(text.Replace("{0}", new string('a', 64), StringComparison.Ordinal)));

    [Fact]
    public void New_keys_are_signed_by_themselves_for_one_plane()
    {
        var rotation = RotatePlaneKeys.Make("rly_1", "pln_1", _plane, _open.Public);
        Assert.True(rotation.IsSignedBy(_plane.Public, "rly_1", "pln_1"));
        Assert.False(rotation.IsSignedBy(_plane.Public, "rly_1", "pln_2"));
        Assert.False(rotation.IsSignedBy(_open.Public, "rly_1", "pln_1"));
        Assert.False((rotation with { Open = _plane.Public.Text }).IsSignedBy(_plane.Public, "rly_1", "pln_1"));
    }

    [Fact]
    public void A_receipt_proves_what_a_relay_took()
    {
        var hash = EnvelopeReceipt.HashOf("body"u8);
        var receipt = new EnvelopeReceipt("rly_1", "pln_1", "env_1", 7, 1_800_000_000, "POST", "https://r/p/x", hash);
        var text = receipt.Encode(_relay);
        Assert.Matches("^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$", text);
        Assert.Equal(receipt, EnvelopeReceipt.TryRead(text, _relay.Public));
        Assert.Null(EnvelopeReceipt.TryRead(text, _plane.Public));
        Assert.Null(EnvelopeReceipt.TryRead(text[..^2] + "AA", _relay.Public));
        Assert.Null(EnvelopeReceipt.TryRead("a.b", _relay.Public));
        // The value that another library computes.
        var read = new Microsoft.IdentityModel.JsonWebTokens.JsonWebToken(text);
        Assert.Equal("ES256", read.Alg);
        Assert.Equal("env_1", read.GetPayloadValue<string>("jti"));
    }

    [Fact]
    public void Frames_travel_together_in_one_body()
    {
        byte[][] frames = ["1\n2"u8.ToArray(), new byte[1000], "x"u8.ToArray()];
        var body = FrameBatch.Write(frames);
        Assert.Equal(frames, FrameBatch.TryRead(body)?.Select(f => f.ToArray()));
        Assert.Equal([], FrameBatch.TryRead(ReadOnlyMemory<byte>.Empty)!);
        foreach (var wrong in new[] { "1", "1\n", "2\nx", "x\n", "-1\nx", "0\n", "1\nxy", "99999999999\nx" })
            Assert.Null(FrameBatch.TryRead(Encoding.ASCII.GetBytes(wrong)));
    }

    [Fact]
    public void A_lane_is_of_a_path_whatever_its_query()
    {
        Assert.Equal(Lane.Of("/a/b"), Lane.Of("/a/b?c=1"));
        Assert.NotEqual(Lane.Of("/a/b"), Lane.Of("/a/B"));
        Assert.Matches("^[0-9a-f]{16}$", Lane.Of("/a"));
    }

    [Fact]
    public void A_list_of_doors_is_taken_whole_or_not()
    {
        var door = new DoorEntry("/api/v1/inbound/x", DoorEntry.Inbound, ["POST"], 1024, 8000, Signed: true);
        var read = DoorsHead.TryReadBody(DoorsHead.BodyOf([door, door with { Verify = ["whpk_x"] }]));
        Assert.Equal(2, read?.Count);
        Assert.Equal(["whpk_x"], read![1].Verify!);
        foreach (
            var wrong in new[]
            {
                door with
                {
                    Path = "x",
                },
                door with
                {
                    Path = "/a?b",
                },
                door with
                {
                    Path = "/" + new string('a', 600),
                },
                door with
                {
                    Class = "others",
                },
                door with
                {
                    Methods = [],
                },
                door with
                {
                    Methods = ["post"],
                },
                door with
                {
                    MaxBody = int.MaxValue,
                },
                door with
                {
                    WaitMs = 60_000,
                },
                door with
                {
                    Verify = [],
                },
            }
        )
            Assert.Null(DoorsHead.TryReadBody(DoorsHead.BodyOf([door, wrong])));
        Assert.Null(DoorsHead.TryReadBody("[null]"u8));
        Assert.Null(DoorsHead.TryReadBody("{}"u8));
        Assert.Null(DoorsHead.TryReadBody("nothing"u8));
        Assert.NotNull(DoorsHead.TryReadBody(DoorsHead.BodyOf([.. Enumerable.Repeat(door, RelayLimits.Doors)])));
        Assert.Null(DoorsHead.TryReadBody(DoorsHead.BodyOf([.. Enumerable.Repeat(door, RelayLimits.Doors + 1)])));
    }

    private static EnvelopeHead Envelope() =>
        new("rly_1", "pln_1", "env_1", 7, Lane.Of("/a"), 1_800_000_000_000, 1_800_000_100_000, "", "");

    private static Dictionary<string, FrameHead> Heads() =>
        new(StringComparer.Ordinal)
        {
            ["ready"] = new ReadyHead
            {
                Relay = "rly_1",
                Plane = "pln_1",
                Connection = "con_1",
                Nonce = "n",
                Time = 1,
                Holder = true,
                Doors = 3,
                Open = new OpenNumbers(1, 9),
                MaxAgeSeconds = 72 * 3600,
                Quota = new BacklogQuota(10_000, 256 << 20),
                Backlog = new BacklogSize(1, 2, null),
            },
            ["holder"] = new HolderHead("con_1", true),
            ["envelope"] = Envelope(),
            ["answer"] = new AnswerHead(
                "rly_1",
                "pln_1",
                "env_1",
                7,
                200,
                [
                    ["Content-Type", "application/json"],
                ]
            ),
            ["settled"] = new SettledHead(["env_1", "env_2"]),
            ["gone"] = new GoneHead("env_1", 7, GoneHead.Expired),
            ["doors"] = new DoorsHead(4),
            ["kept"] = new KeptHead(KeptHead.DoorsList, 4),
            ["ping"] = new PingHead(1, 2),
            ["bye"] = new ByeHead(ByeHead.Draining, 5000),
        };
}

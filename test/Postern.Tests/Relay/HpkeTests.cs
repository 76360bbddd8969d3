using System.Security.Cryptography;
using Postern.Relay.Protocol;

namespace Postern.Tests.Relay;

/// <summary>RFC 9180, appendix A.3.1: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode.</summary>
public sealed class HpkeTests
{
    private const string EphemeralKey = "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb";
    private const string EphemeralPoint =
        "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac9"
        + "8536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4";
    private const string RecipientKey = "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2";
    private const string RecipientPoint =
        "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a82"
        + "6a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0";
    private const string Shared = "c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8";
    private const string SealedText =
        "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434";

    private static readonly byte[] Info = Convert.FromHexString("4f6465206f6e2061204772656369616e2055726e");
    private static readonly byte[] Associated = Convert.FromHexString("436f756e742d30");
    private static readonly byte[] Plain = Convert.FromHexString(
        "4265617574792069732074727574682c20747275746820626561757479"
    );

    [Fact]
    public void Key_pairs_have_the_points_of_the_vector()
    {
        using var ephemeral = P256Key.FromBytes(Convert.FromHexString(EphemeralKey));
        using var recipient = P256Key.FromBytes(Convert.FromHexString(RecipientKey));
        Assert.Equal(EphemeralPoint, Convert.ToHexStringLower(ephemeral.Public.Point));
        Assert.Equal(RecipientPoint, Convert.ToHexStringLower(recipient.Public.Point));
    }

    [Fact]
    public void The_key_schedule_is_that_of_the_vector()
    {
        using var ephemeral = P256Key.FromBytes(Convert.FromHexString(EphemeralKey));
        using var recipient = P256Key.FromBytes(Convert.FromHexString(RecipientKey));
        var shared = Hpke.SharedSecret(
            ephemeral.AgreeWith(recipient.Public.Point),
            ephemeral.Public.Point,
            recipient.Public.Point
        );
        Assert.Equal(Shared, Convert.ToHexStringLower(shared));
        var (key, nonce) = Hpke.Schedule(shared, Info);
        Assert.Equal("868c066ef58aae6dc589b6cfdd18f97e", Convert.ToHexStringLower(key));
        Assert.Equal("4e0bc5018beba4bf004cca59", Convert.ToHexStringLower(nonce));
    }

    [Fact]
    public void Seals_and_opens_as_the_vector_does()
    {
        using var ephemeral = ECDiffieHellman.Create(
            new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = Convert.FromHexString(EphemeralKey) }
        );
        using var recipient = P256Key.FromBytes(Convert.FromHexString(RecipientKey));
        var made = Hpke.Seal(ephemeral, recipient.Public, Info, Associated, Plain);
        Assert.Equal(EphemeralPoint, Convert.ToHexStringLower(made.Enc));
        Assert.Equal(SealedText, Convert.ToHexStringLower(made.Text));
        Assert.Equal(Plain, Hpke.Open(recipient, Info, Associated, made.Enc, Convert.FromHexString(SealedText)));
    }

    [Fact]
    public void An_altered_or_foreign_seal_does_not_open()
    {
        using var recipient = P256Key.Make();
        using var other = P256Key.Make();
        var made = Hpke.Seal(recipient.Public, Info, Associated, Plain);
        Assert.Equal(Plain, Hpke.Open(recipient, Info, Associated, made.Enc, made.Text));
        Assert.Null(Hpke.Open(other, Info, Associated, made.Enc, made.Text));
        Assert.Null(Hpke.Open(recipient, "another use"u8, Associated, made.Enc, made.Text));
        Assert.Null(Hpke.Open(recipient, Info, "another envelope"u8, made.Enc, made.Text));
        for (var i = 0; i < made.Text.Length; i++)
        {
            var altered = made.Text.ToArray();
            altered[i] ^= 1;
            Assert.Null(Hpke.Open(recipient, Info, Associated, made.Enc, altered));
        }
        Assert.Null(Hpke.Open(recipient, Info, Associated, made.Enc, made.Text.AsSpan(0, 15)));
        Assert.Null(Hpke.Open(recipient, Info, Associated, new byte[65], made.Text));
        Assert.Null(Hpke.Open(recipient, Info, Associated, [], made.Text));
    }

    [Fact]
    public void A_point_that_is_not_on_the_curve_is_no_key()
    {
        using var key = P256Key.Make();
        var point = key.Public.Point.ToArray();
        Assert.NotNull(P256PublicKey.TryParse(point));
        point[64] ^= 1;
        Assert.Null(P256PublicKey.TryParse(point));
        Assert.Null(P256PublicKey.TryParse([4, .. new byte[64]]));
        Assert.Null(P256PublicKey.TryParse([2, .. key.Public.Point[1..]]));
        Assert.Null(P256PublicKey.TryParse(key.Public.Text[..^1] + "="));
        Assert.Null(P256PublicKey.TryParse(key.Public.Text + "A"));
        Assert.Equal(key.Public.Text, P256PublicKey.TryParse(key.Public.Text)?.Text);
    }

    /// <summary>A key of a plane is read once; more keys than are kept are read as well.</summary>
    [Fact]
    public void A_stored_key_is_read_once_and_any_number_of_them_works()
    {
        using var plane = P256Key.Make();
        var first = P256PublicKey.OfStored(plane.Public.Text);
        Assert.Equal(plane.Public.Text, first.Text);
        Assert.Same(first, P256PublicKey.OfStored(plane.Public.Text));
        Parallel.For(
            0,
            1_500,
            _ =>
            {
                using var other = P256Key.Make();
                var made = Hpke.Seal(P256PublicKey.OfStored(other.Public.Text), Info, Associated, Plain);
                Assert.Equal(Plain, Hpke.Open(other, Info, Associated, made.Enc, made.Text));
            }
        );
        Assert.NotSame(first, P256PublicKey.OfStored(plane.Public.Text));
        Assert.Throws<InvalidOperationException>(() => P256PublicKey.OfStored("no key"));
    }

    /// <summary>Many threads seal to one plane with one object of its key, and open with one private key.</summary>
    [Fact]
    public void One_key_serves_many_threads()
    {
        using var recipient = P256Key.Make();
        Parallel.For(
            0,
            2_000,
            new ParallelOptions { MaxDegreeOfParallelism = 16 },
            _ =>
            {
                var made = Hpke.Seal(recipient.Public, Info, Associated, Plain);
                Assert.Equal(Plain, Hpke.Open(recipient, Info, Associated, made.Enc, made.Text));
            }
        );
    }
}

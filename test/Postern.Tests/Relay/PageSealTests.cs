using System.Security.Cryptography;
using System.Text;
using Postern.Relay.Protocol;

namespace Postern.Tests.Relay;

/// <summary>
/// The sealing of pages for people, checked against vectors from another library (Python's cryptography: HKDF and
/// AESGCM of OpenSSL).
/// </summary>
public sealed class PageSealTests
{
    private static readonly PageLink Link = new(
        "",
        "pln_test",
        "AAECAwQFBgcICQoLDA0ODw",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    );

    [Theory]
    [InlineData(
        PageSeal.Question,
        "1",
        "{\"title\":\"Delete it?\"}",
        "2e1437359bf51f9f154ee697fa19393ff702a99fe79a7523716f96a71f7526b7"
    )]
    [InlineData(
        PageSeal.Answer,
        "ICEiIyQlJicoKSorLC0uLw",
        "{\"decision\":\"approved\"}",
        "4127b4704ffb15384874a2cd3af68eb061f5a8886d6c975a6e14fb48344b748e"
    )]
    [InlineData(
        PageSeal.Outcome,
        "2",
        "{\"status\":\"approved\"}",
        "97b08d469d966d34eecb7da47aa7dd2578d6de1be7b6d341d0450af6919cb0bb"
    )]
    public void It_seals_as_others_do(string kind, string bound, string json, string digest)
    {
        var nonce = Enumerable.Range(0, 12).Select(i => (byte)i).ToArray();
        var made = PageSeal.Seal(Link, kind, bound, Encoding.UTF8.GetBytes(json), nonce);
        Assert.Equal(digest, Convert.ToHexStringLower(SHA256.HashData(made)));
        Assert.Equal(json, Encoding.UTF8.GetString(PageSeal.TryOpen(Link, kind, bound, made)!).TrimEnd());
    }

    [Fact]
    public void A_seal_opens_only_as_its_own_kind()
    {
        var made = PageSeal.Seal(Link, PageSeal.Question, "1", "{}"u8);
        Assert.NotNull(PageSeal.TryOpen(Link, PageSeal.Question, "1", made));
        Assert.Null(PageSeal.TryOpen(Link, PageSeal.Outcome, "1", made));
        Assert.Null(PageSeal.TryOpen(Link, PageSeal.Answer, "1", made));
        Assert.Null(PageSeal.TryOpen(Link, PageSeal.Question, "2", made));
        Assert.Null(PageSeal.TryOpen(Link with { Plane = "pln_other" }, PageSeal.Question, "1", made));
        Assert.Null(PageSeal.TryOpen(Link with { Page = new string('A', 22) }, PageSeal.Question, "1", made));
        Assert.Null(PageSeal.TryOpen(Link with { Secret = new string('A', 43) }, PageSeal.Question, "1", made));
        // The last letter has two bits that base64url does not use. Changed, it is still another secret.
        Assert.Null(PageSeal.TryOpen(Link with { Secret = Link.Secret[..^1] + "9" }, PageSeal.Question, "1", made));
        for (var at = 0; at < made.Length; at += 97)
        {
            var altered = made.ToArray();
            altered[at] ^= 1;
            Assert.Null(PageSeal.TryOpen(Link, PageSeal.Question, "1", altered));
        }
        Assert.Null(PageSeal.TryOpen(Link, PageSeal.Question, "1", made.AsSpan(0, made.Length - 1)));
        Assert.Null(PageSeal.TryOpen(Link, PageSeal.Question, "1", []));
        Assert.NotEqual(made, PageSeal.Seal(Link, PageSeal.Question, "1", "{}"u8));
    }

    [Theory]
    [InlineData(0, 1024)]
    [InlineData(1, 1024)]
    [InlineData(1024, 1024)]
    [InlineData(1025, 2048)]
    public void Its_length_tells_little(int length, int padded) =>
        Assert.Equal(padded + PageSeal.Overhead, PageSeal.Seal(Link, PageSeal.Answer, "n", new byte[length]).Length);

    [Fact]
    public void A_link_is_valid_or_refused()
    {
        var text = $"https://relay.example/approve#pln_a.{Link.Page}.{Link.Secret}";
        Assert.Equal(text, PageLink.TryParse(" " + text + "\n")!.ToString());
        foreach (
            var wrong in new[]
            {
                "",
                "https://relay.example/approve",
                "javascript:alert(1)#pln_a." + Link.Page + "." + Link.Secret,
                text + "x",
                text[..^1],
                text + "#",
                text.Replace("pln_a", "pln/a", StringComparison.Ordinal),
                text.Replace("pln_a", "", StringComparison.Ordinal),
                text.Replace(Link.Page, Link.Page[..^1], StringComparison.Ordinal),
                text.Replace(Link.Page, Link.Page[..^1] + "/", StringComparison.Ordinal),
            }
        )
            Assert.Null(PageLink.TryParse(wrong));
    }
}

using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Postern.Http;

namespace Postern.Tests.Hosting;

public sealed class MendedJsonTests
{
    [Theory]
    [InlineData("{\"a\":\"x \\ud83d y\"}", "{\"a\":\"x \\ufffd y\"}")]
    [InlineData("{\"a\":\"x \\ud83d\"}", "{\"a\":\"x \\ufffd\"}")]
    [InlineData("{\"a\":\"\\uDE00 y\"}", "{\"a\":\"\\ufffd y\"}")]
    [InlineData("{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"\\ud83d\\ude00\"}")]
    [InlineData("{\"a\":\"\\ud83d\\ud83d\\ude00\"}", "{\"a\":\"\\ufffd\\ud83d\\ude00\"}")]
    [InlineData("{\"a\":\"\\ud83d\\u0041\"}", "{\"a\":\"\\ufffd\\u0041\"}")]
    [InlineData("{\"a\":\"x\\u0000y\"}", "{\"a\":\"xy\"}")]
    [InlineData("{\"\\ud800\":1}", "{\"\\ufffd\":1}")]
    [InlineData("{\"a\":\"\\\\ud83d\"}", "{\"a\":\"\\\\ud83d\"}")]
    [InlineData("{\"a\":\"\\\\\\ud83d\"}", "{\"a\":\"\\\\\\ufffd\"}")]
    [InlineData("{\"a\":\"\\n\\\"\\u00e9\"}", "{\"a\":\"\\n\\\"\\u00e9\"}")]
    [InlineData("\\", "\\")]
    [InlineData("\\u", "\\u")]
    [InlineData("\\ud83", "\\ud83")]
    [InlineData("", "")]
    public void Only_text_that_cannot_be_stored_is_mended(string json, string mended) =>
        Assert.Equal(mended, Encoding.UTF8.GetString(MendedJson.Of(Encoding.UTF8.GetBytes(json)).Span));

    [Fact]
    public void Any_text_of_units_reads_as_the_runtime_would_repair_it() =>
        Prop.ForAll(
                ArbMap.Default.ArbFor<char[]>(),
                units =>
                {
                    var escaped = "\"" + string.Concat(units.Select(u => $"\\u{(int)u:x4}")) + "\"";
                    using var json = JsonDocument.Parse(MendedJson.Of(Encoding.UTF8.GetBytes(escaped)));
                    // The runtime's own encoder writes U+FFFD for each half without a partner.
                    var repaired = Encoding
                        .UTF8.GetString(Encoding.UTF8.GetBytes(new string(units)))
                        .Replace("\0", "", StringComparison.Ordinal);
                    return json.RootElement.GetString() == repaired;
                }
            )
            .QuickCheckThrowOnFailure();
}

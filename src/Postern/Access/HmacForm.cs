using System.Text.Json;
using Postern.Http;

namespace Postern.Access;

/// <summary>The form of an HMAC signature: that of a described sender, or of a scheme's own row.</summary>
/// <param name="Prefix">What stands before a signature, such as <c>sha256=</c>; empty for nothing.</param>
/// <param name="Signed">A template of <c>{body}</c>, <c>{timestamp}</c>, <c>{id}</c> and literals.</param>
/// <param name="TimestampHeader">
/// Unix seconds; fresh within the tolerance. Needed where the template names the instant.</param>
/// <param name="IdHeader">The message's id. Needed where the template names it.</param>
internal sealed record HmacForm(
    string Prefix = "",
    string Algorithm = "sha256",
    string Encoding = "hex",
    string Signed = "{body}",
    string? TimestampHeader = null,
    string? IdHeader = null,
    long ToleranceSeconds = HmacForm.StandardTolerance
)
{
    public const long StandardTolerance = 300;

    public bool SignsTime => Signed.Contains("{timestamp}", StringComparison.Ordinal);

    public bool SignsId => Signed.Contains("{id}", StringComparison.Ordinal);

    public string ToJson() => JsonSerializer.Serialize(this, Wire.Json);

    public static HmacForm FromJson(string json) => JsonSerializer.Deserialize<HmacForm>(json, Wire.Json)!;
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Postern.Relay.Protocol;

/// <summary>The head of a frame. Unknown members are ignored. Unknown kinds are ignored too, and counted.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "f")]
[JsonDerivedType(typeof(ReadyHead), "ready")]
[JsonDerivedType(typeof(HolderHead), "holder")]
[JsonDerivedType(typeof(EnvelopeHead), "envelope")]
[JsonDerivedType(typeof(AnswerHead), "answer")]
[JsonDerivedType(typeof(SettledHead), "settled")]
[JsonDerivedType(typeof(GoneHead), "gone")]
[JsonDerivedType(typeof(DoorsHead), "doors")]
[JsonDerivedType(typeof(PageHead), "page")]
[JsonDerivedType(typeof(PageEndHead), "page-end")]
[JsonDerivedType(typeof(KeptHead), "kept")]
[JsonDerivedType(typeof(PingHead), "ping")]
[JsonDerivedType(typeof(ByeHead), "bye")]
internal abstract record FrameHead
{
    /// <summary>A required value that is missing or null makes the head invalid.</summary>
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.Strict,
        PropertyNameCaseInsensitive = false,
        AllowOutOfOrderMetadataProperties = true,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        MaxDepth = 8,
    };

    private static readonly HashSet<string> Known = new(
        typeof(FrameHead)
            .GetCustomAttributes(typeof(JsonDerivedTypeAttribute), inherit: false)
            .Select(a => (string)((JsonDerivedTypeAttribute)a).TypeDiscriminator!),
        StringComparer.Ordinal
    );

    /// <summary>Returns null when the text is no head. An unknown kind becomes an <see cref="UnknownHead"/>.</summary>
    public static FrameHead? TryRead(ReadOnlySpan<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = Json.MaxDepth });
            using var document = JsonDocument.ParseValue(ref reader);
            if (reader.BytesConsumed != line.Length || document.RootElement.ValueKind != JsonValueKind.Object)
                return null;
            if (
                !document.RootElement.TryGetProperty("f", out var kind)
                || kind.ValueKind != JsonValueKind.String
                || kind.GetString() is not { Length: <= 64 } name
            )
                return null;
            return Known.Contains(name) ? document.Deserialize<FrameHead>(Json) : new UnknownHead(name);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

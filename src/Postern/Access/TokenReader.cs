using System.Buffers.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Access;

/// <summary>Reads a token's claims, without checking who signed it.</summary>
internal static class TokenReader
{
    public const int MaxLength = 8192;

    public const long Second = 1_000_000;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };
    private const int MaxAncestors = 16;
    private static readonly string[] AllowedHeaders = ["alg", "typ", "kid"];

    /// <summary>
    /// Returns the claims, read strictly and not trusted: they only select the key for the verification.
    /// </summary>
    public static TokenClaims? ReadClaims(string token, long now)
    {
        var parts = token.Split('.');
        if (parts.Length != 3 || !parts.All(IsCanonical))
            return null;
        try
        {
            using var header = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[0]), Strict);
            using var payload = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[1]), Strict);
            return HeaderIsPlain(header.RootElement) ? ReadPayload(payload.RootElement, now) : null;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    /// <summary>
    /// Base64url as in RFC 7515, section 2: no padding, no white space, no spare bits. So a token has only one spelling
    /// and only one digest.
    /// </summary>
    private static bool IsCanonical(string part) =>
        part.Length > 0
        && !part.Contains('=', StringComparison.Ordinal)
        && Base64Url.IsValid(part)
        && Base64Url.EncodeToString(Base64Url.DecodeFromChars(part)) == part;

    private static bool HeaderIsPlain(JsonElement header) =>
        header.ValueKind == JsonValueKind.Object
        && header
            .EnumerateObject()
            .All(m =>
                AllowedHeaders.Contains(m.Name, StringComparer.Ordinal) && m.Value.ValueKind == JsonValueKind.String
            )
        && header.TryGetProperty("alg", out var alg)
        && alg.ValueEquals("HS256");

    private static TokenClaims? ReadPayload(JsonElement payload, long now)
    {
        if (payload.ValueKind != JsonValueKind.Object || !IsTrue(payload, "pub"))
            return null;
        if (TextOf(payload, "sub") is not { Length: > 0 } project || !IsInTime(payload, now, out var expires))
            return null;
        if (!TryReadWorker(payload, out var worker))
            return null;
        var scopes = ReadNames(payload, "scopes", MintClaims.MaxScopes);
        var ancestors = ReadNames(payload, "line", MaxAncestors);
        return scopes is null || ancestors is null
            ? null
            : ClaimsOf(payload, project, expires, worker, scopes, ancestors);
    }

    private static TokenClaims ClaimsOf(
        JsonElement payload,
        string project,
        long expires,
        Worker? worker,
        List<string> scopes,
        List<string> ancestors
    )
    {
        var act = ObjectIn(payload, "act");
        var (originKey, originToken) = OriginOf(payload);
        return new TokenClaims
        {
            Project = project,
            Subject = TextOf(act, "sub") ?? project,
            Client = TextOf(act, "client"),
            Scopes = scopes,
            IssuedAt = Seconds(payload, "iat") ?? 0,
            ExpiresAt = expires,
            Jti = TextOf(payload, "jti"),
            OneTime = IsTrue(payload, "otu"),
            Worker = worker,
            Key = TextOf(payload, "key") ?? originKey,
            Seal = TextOf(payload, "seal"),
            Ancestors = originToken is null ? ancestors : [.. ancestors, originToken],
            Since = Seconds(payload, "since"),
        };
    }

    private static JsonElement ObjectIn(JsonElement payload, string name) =>
        payload.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Object ? value : default;

    /// <summary>Version 0.3.0 wrote this: the key or token that it came from.</summary>
    private static (string? Key, string? Token) OriginOf(JsonElement payload)
    {
        var origin = TextOf(payload, "origin");
        return origin?.StartsWith("key_", StringComparison.Ordinal) == true ? (origin, null) : (null, origin);
    }

    private static bool IsTrue(JsonElement payload, string name) =>
        payload.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    /// <summary>Returns whether it is valid already, and expires no later than a token may.</summary>
    private static bool IsInTime(JsonElement payload, long now, out long expires)
    {
        var latest = now + Tokens.ClockSkew;
        expires = Seconds(payload, "exp") ?? long.MaxValue;
        return expires != long.MaxValue
            && expires - now <= Wire.Microseconds(Tokens.MaxLife) + Tokens.ClockSkew
            && !(Seconds(payload, "iat") > latest)
            && !(Seconds(payload, "nbf") > latest);
    }

    /// <summary>Returns a list of names, empty when it is missing; null when it is malformed.</summary>
    private static List<string>? ReadNames(JsonElement payload, string member, int most)
    {
        var names = new List<string>();
        if (!payload.TryGetProperty(member, out var listed))
            return names;
        if (listed.ValueKind != JsonValueKind.Array || listed.GetArrayLength() > most)
            return null;
        foreach (var name in listed.EnumerateArray())
            names.Add(name.GetString() ?? "");
        return names;
    }

    /// <summary>Returns false when it claims to be a run's token but does not name the run.</summary>
    private static bool TryReadWorker(JsonElement payload, out Worker? worker)
    {
        worker = null;
        if (!payload.TryGetProperty("run", out var named))
            return true;
        if (
            TextOf(named, "id") is not { Length: > 0 } run
            || !named.TryGetProperty("attempt", out var attempt)
            || !attempt.TryGetInt64(out var number)
        )
            return false;
        worker = new Worker(run, number, TextOf(named, "session") is { Length: > 0 } session ? session : null);
        return true;
    }

    private static string? TextOf(JsonElement from, string name) =>
        from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out var value)
            ? value.ValueKind == JsonValueKind.String
                ? JsonText.Of(value)
                : throw new FormatException()
            : null;

    private static long? Seconds(JsonElement from, string name)
    {
        if (!from.TryGetProperty(name, out var value))
            return null;
        if (
            value.ValueKind != JsonValueKind.Number
            || !value.TryGetDouble(out var seconds)
            || seconds is < 0 or > 253_402_300_799
        )
            throw new FormatException();
        return (long)(seconds * 1_000_000);
    }
}

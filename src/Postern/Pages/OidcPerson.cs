using System.Security.Claims;
using System.Text.Json;

namespace Postern.Pages;

/// <summary>The person that the identity provider named, and the page to go to.</summary>
internal sealed record OidcPerson(string Name, IReadOnlyList<string> Groups, string Next)
{
    private const int MaxName = 256;
    private const int MaxGroups = 1000;
    private const string Email = "email";
    private const string Verified = "email_verified";

    /// <summary>
    /// Reads the person from a token, or, when it does not name one, from the provider's answer to a question
    /// (userinfo). An address counts only when the same source says that it is verified.
    /// </summary>
    /// <exception cref="OidcFaultException">It names nobody.</exception>
    public static OidcPerson Of(ClaimsIdentity token, JsonElement? userinfo, string claim, string groups, string next)
    {
        var fromToken = One(ValuesOf(token, claim));
        var fromUserinfo = fromToken is null ? One(Values(userinfo, claim)) : null;
        var name =
            fromToken ?? fromUserinfo ?? throw new OidcFaultException("the claim that names the person is missing");
        var isFromToken = fromToken is not null;
        if (claim == Email && !IsVerified(isFromToken ? ValuesOf(token, Verified) : Values(userinfo, Verified)))
            throw new OidcFaultException("the address is not verified");
        if (name.Length > MaxName || name.Any(char.IsControl))
            throw new OidcFaultException("the claim that names the person is no name");
        if (groups.Length == 0)
            return new OidcPerson(name, [], next);
        var named = ValuesOf(token, groups);
        return new OidcPerson(name, [.. (named.Length > 0 ? named : Values(userinfo, groups)).Take(MaxGroups)], next);
    }

    private static bool IsVerified(IReadOnlyList<string> said) =>
        said is [var word] && word.Equals("true", StringComparison.OrdinalIgnoreCase);

    private static string[] ValuesOf(ClaimsIdentity token, string claim) =>
        [.. token.FindAll(claim).Select(c => c.Value)];

    /// <summary>Of two different names, neither is used.</summary>
    private static string? One(string[] values) =>
        values.Length > 1 ? throw new OidcFaultException("two claims name the person")
        : values is [{ Length: > 0 } one] ? one
        : null;

    private static string[] Values(JsonElement? said, string name)
    {
        if (said is not { ValueKind: JsonValueKind.Object } all || !all.TryGetProperty(name, out var value))
            return [];
        return value.ValueKind switch
        {
            JsonValueKind.Array => [.. value.EnumerateArray().Select(Text).OfType<string>()],
            _ => Text(value) is { } one ? [one] : [],
        };
    }

    private static string? Text(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.True => "true",
            _ => null,
        };
}

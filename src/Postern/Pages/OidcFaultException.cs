using System.Text.RegularExpressions;

namespace Postern.Pages;

/// <summary>
/// Thrown when a sign-in with the identity provider fails. Its message is for the log. It contains the kinds of the
/// faults behind it, with their numbers (IDX…) and the standard's error codes, but nothing that the provider or a
/// browser sent.
/// </summary>
internal sealed partial class OidcFaultException : Exception
{
    /// <summary>The names of refusals in RFC 6749 and OpenID Connect.</summary>
    private static readonly string[] Codes =
    [
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
        "access_denied",
        "login_required",
        "consent_required",
        "interaction_required",
        "temporarily_unavailable",
        "server_error",
    ];

    public OidcFaultException(string words)
        : base(words) { }

    public OidcFaultException(Exception? fault)
        : base(Words(fault)) { }

    private static string Words(Exception? fault)
    {
        var words = new List<string>();
        for (var one = fault; one is not null && words.Count < 8; one = one.InnerException)
        {
            words.Add(one.GetType().Name);
            words.AddRange(Number().Matches(one.Message).Select(m => m.Value).Distinct(StringComparer.Ordinal));
            words.AddRange(Codes.Where(c => one.Message.Contains($"'{c}'", StringComparison.Ordinal)));
            if (one is OidcFaultException)
                words.Add(one.Message);
        }
        return words.Count == 0 ? "no answer" : string.Join(' ', words.Distinct(StringComparer.Ordinal));
    }

    [GeneratedRegex("IDX[0-9]{5}", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Number();
}

using System.Text;
using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// Reads the credentials of callbacks: the project's secret or an attempt's token in its header, or a message signed
/// with it after Standard Webhooks, where the secret must not travel. The key is the UTF-8 bytes of the text. The id of
/// the message is <c>{run}:{event}</c>. It is signed, so a message about one run is not valid for another.
/// </summary>
internal sealed class CallbackCredentials(
    CallbackSecrets secrets,
    Projects projects,
    VerificationPlaces places,
    Database database
)
{
    /// <summary>The most bytes of a signed body, which is read before anybody is let in.</summary>
    private const int MaxBody = 1024 * 1024;
    private static readonly SignatureScheme Standard = SignatureScheme.Of("standard")!;

    public static bool IsSigned(IHeaderDictionary headers) => Standard.Headers.Any(headers.ContainsKey);

    /// <summary>Returns the project that a callback's headers name, by default the default project.</summary>
    public async ValueTask<string?> ProjectOfAsync(IHeaderDictionary headers) =>
        headers[CredentialReader.ProjectHeader] is [{ Length: > 0 } named] ? named : await projects.DefaultAsync();

    public CredentialAnswer TrySecret(IHeaderDictionary headers)
    {
        var presented = headers["X-Callback-Secret"];
        if (presented.Count == 0)
            return CredentialAnswer.Unfit(UnfitCredential.Missing, "missing");
        // Two values are refused: the server must not choose between them.
        return presented.Count == 1 && secrets.Verify(presented[0] ?? "") is { } caller
            ? CredentialAnswer.Fit(caller)
            : CredentialAnswer.Unfit(UnfitCredential.BadKey, "wrong_secret");
    }

    /// <summary>
    /// The token contains nothing by itself. The headers and the path say what it was made for, and from them the same
    /// token must result.
    /// </summary>
    public async ValueTask<CredentialAnswer> TryTokenAsync(HttpContext http)
    {
        if (await NamedAsync(http) is not { } named)
            return CredentialAnswer.Ambiguous;
        var presented = http.Request.Headers[CredentialReader.CallbackTokenHeader];
        return
            named.IsWhole
            && presented.Count == 1
            && await secrets.IsRunTokenAsync(presented[0] ?? "", named.Project!, named.Run!, named.Attempt)
            ? Fit(named.Project!, new CallbackTokenAuthority(named.Run!, named.Attempt))
            : CredentialAnswer.Unfit(UnfitCredential.BadKey, "wrong_callback_token");
    }

    /// <summary>
    /// A signed message; the key is what its door accepts otherwise: the project's secret, or the attempt's token.
    /// </summary>
    public async ValueTask<CredentialAnswer> TrySignedAsync(HttpContext http, Door door)
    {
        if (await NamedAsync(http) is not { } named)
            return CredentialAnswer.Ambiguous;
        if (!(await RequestBody.ReadAsync(http, MaxBody)).Try(out var body, out var tooLarge))
            return CredentialAnswer.Unread(tooLarge);
        using (body)
        {
            body.PutBack(http);
            var signers = new List<(string Secret, Authority Authority)>();
            if (named.IsWhole && (door.Credentials & Credentials.CallbackSecret) != 0)
                signers.AddRange(secrets.SignersOf(named.Project!));
            if (named.IsWhole && (door.Credentials & Credentials.CallbackToken) != 0)
                foreach (var token in await secrets.RunTokensAsync(named.Project!, named.Run!, named.Attempt))
                    signers.Add((token, new CallbackTokenAuthority(named.Run!, named.Attempt)));
            var found = await FindAsync(http, body, named.Run ?? "", signers);
            if (found is null)
                return CredentialAnswer.Unread(VerificationPlaces.Busy);
            return found.Authority is { } authority
                ? Fit(named.Project!, authority)
                : CredentialAnswer.Unfit(UnfitCredential.BadKey, "bad_signature");
        }
    }

    /// <summary>
    /// Returns whether a callback proves that it has one of some tokens, in its header or as the key of its signature.
    /// </summary>
    /// <param name="http">The request.</param>
    /// <param name="subject">What the signed message's id must begin with.</param>
    /// <param name="tokens">Those that are good for what the headers name.</param>
    public async ValueTask<Checked<bool>> HasOneAsync(HttpContext http, string subject, IReadOnlyList<string> tokens)
    {
        var headers = http.Request.Headers;
        var presented = headers[CredentialReader.CallbackTokenHeader];
        if (presented.Count > 0 || !IsSigned(headers))
            return presented.Count == 1 && CallbackSecrets.IsOneOf(presented[0] ?? "", tokens);
        if (!(await RequestBody.ReadAsync(http, MaxBody)).Try(out var body, out var tooLarge))
            return tooLarge;
        using (body)
        {
            body.PutBack(http);
            var found = await FindAsync(http, body, subject, [.. tokens.Select(t => (t, (Authority)Nobody))]);
            return found is null ? VerificationPlaces.Busy : found.Authority is not null;
        }
    }

    private static CallbackTokenAuthority Nobody { get; } = new("", 0);

    /// <summary>Returns the owner of the signature, or none; null when too many verifications wait.</summary>
    private ValueTask<Found?> FindAsync(
        HttpContext http,
        RequestBody body,
        string subject,
        List<(string Secret, Authority Authority)> signers
    )
    {
        // For a project without a secret it takes as long as for one with a secret.
        var tried =
            signers.Count == 0 ? [(Unknown, (Authority?)null)] : signers.ConvertAll(s => (s.Secret, s.Authority))!;
        return places.VerifyAsync(body.Length, tried.Count, Find, http.RequestAborted);

        Found Find()
        {
            Authority? authority = null;
            var message = "";
            foreach (var (secret, of) in tried)
            {
                var key = "whsec_" + Convert.ToBase64String(Encoding.UTF8.GetBytes(secret));
                var answer = Signatures.Verify(
                    new SignatureRule(Standard, [key]),
                    http.Request.Headers,
                    body.Bytes.Span,
                    Arrival.InstantOf(http, database.Now)
                );
                if (answer.IsValid)
                    (authority, message) = (of, answer.Replay!["standard ".Length..]);
            }
            var prefix = subject + ":";
            if (
                authority is null
                || message.Length <= prefix.Length
                || !message.StartsWith(prefix, StringComparison.Ordinal)
            )
                return new Found(null);
            http.Features.Set(new SignedMessage(message[prefix.Length..]));
            return new Found(authority);
        }
    }

    /// <summary>A text that is nobody's secret.</summary>
    private static string Unknown { get; } =
        Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));

    /// <summary>Returns what a callback says that it is about, or nothing when a header is repeated.</summary>
    private async ValueTask<Named?> NamedAsync(HttpContext http)
    {
        var headers = http.Request.Headers;
        string[] once = [CredentialReader.RunHeader, CredentialReader.ProjectHeader, CredentialReader.AttemptHeader];
        // Each header says what the token was made for; a repeated one is refused.
        if (once.Any(name => headers[name].Count > 1))
            return null;
        var run = Single(headers[CredentialReader.RunHeader]) ?? http.Request.RouteValues["run"] as string;
        var attempt = 1L;
        if (
            Single(headers[CredentialReader.AttemptHeader]) is { } said
            && !long.TryParse(
                said,
                System.Globalization.NumberStyles.None,
                System.Globalization.CultureInfo.InvariantCulture,
                out attempt
            )
        )
            attempt = 0;
        return new Named(await ProjectOfAsync(headers), run, attempt);
    }

    private CredentialAnswer Fit(string project, Authority authority) =>
        CredentialAnswer.Fit(new ProjectCaller(project, authority, database));

    private static string? Single(Microsoft.Extensions.Primitives.StringValues values) =>
        values.Count > 0 && !string.IsNullOrEmpty(values[0]) ? values[0] : null;

    private sealed record Found(Authority? Authority);

    private sealed record Named(string? Project, string? Run, long Attempt)
    {
        public bool IsWhole => Project is { Length: <= 128 } && Run is { Length: > 0 and <= 128 };
    }
}

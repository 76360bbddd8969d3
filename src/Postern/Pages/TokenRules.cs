using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>Chooses the tokens to end: one by its digest and its id, or all of a subject.</summary>
internal static class TokenRules
{
    private const int MaxValue = 256;

    /// <param name="now">The database's time, microseconds.</param>
    /// <param name="of">A field by its name; empty when it was not sent.</param>
    public static Checked<List<RevocationRow>> Read(string project, long now, Func<string, string> of) =>
        of("subject").Length > 0 ? OfSubject(project, now, of) : OfToken(project, now, of);

    private static Checked<List<RevocationRow>> OfSubject(string project, long now, Func<string, string> of)
    {
        var (subject, before) = (of("subject"), of("before"));
        if (of("token").Length > 0 || of("jti").Length > 0)
            return NameOne;
        if (subject.Length > MaxValue)
            return KeyForm.Bad($"subject has more than {MaxValue} characters");
        var issued = now;
        if (before is not ("" or "now") && !Wire.TryParseInstant(before, out issued))
            return KeyForm.Bad("before must be now, or an instant in ISO 8601");
        var until = Math.Max(EndOfAll(now), issued + Wire.Microseconds(Tokens.MaxLife));
        return new List<RevocationRow> { new(project, "subject", subject, issued, until, 0) };
    }

    private static Checked<List<RevocationRow>> OfToken(string project, long now, Func<string, string> of)
    {
        var (token, jti) = (of("token"), of("jti"));
        if (of("before").Length > 0)
            return KeyForm.Bad("before goes with subject");
        if (token.Length == 0 && jti.Length == 0)
            return NameOne;
        if (jti.Length > MaxValue || token.Length > MaxValue)
            return KeyForm.Bad($"jti has more than {MaxValue} characters");
        var rules = new List<RevocationRow>(2);
        if (token.Length > 0)
            rules.Add(new RevocationRow(project, "token", token, null, EndOfAll(now), 0));
        if (jti.Length > 0)
            rules.Add(new RevocationRow(project, "jti", jti, null, EndOfAll(now), 0));
        return rules;
    }

    /// <summary>The instant at which every token that was issued until now has expired.</summary>
    private static long EndOfAll(long now) => now + Wire.Microseconds(Tokens.MaxLife) + Tokens.ClockSkew;

    private static Refusal NameOne => KeyForm.Bad("jti, subject: name one of them");
}

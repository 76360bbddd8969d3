using System.ComponentModel;
using System.Reflection;
using Postern.Access;

namespace Postern.Pages;

/// <summary>
/// Explains a refusal to an administrator: what was presented, what the door accepts, and what to do. The sentences
/// depend on the row's action and reason. They claim nothing that the row does not contain.
/// </summary>
internal sealed record RefusalWords(string Presented, string Takes, string ToDo)
{
    private static readonly (Credentials Kind, string Words)[] Kinds =
    [
        .. Enum.GetValues<Credentials>()
            .OrderBy(kind => kind == Credentials.Anyone)
            .Select(kind => (kind, WordsOf(kind))),
    ];

    private static string WordsOf(Credentials kind) =>
        typeof(Credentials).GetField(kind.ToString())!.GetCustomAttribute<DescriptionAttribute>()!.Description;

    /// <summary>For each reason: what was presented, and what to do.</summary>
    private static readonly Dictionary<string, (string Presented, string ToDo)> Known = new(StringComparer.Ordinal)
    {
        ["missing"] = ("No credential was sent.", "Send one of those that the door takes."),
        ["malformed"] = (
            "The text that was sent is neither a key nor a token.",
            "Check the header: the word Bearer, one space, then the whole key or token without quotes."
        ),
        ["mistyped_key"] = (
            "The text that was sent begins like a key, but its checksum is wrong.",
            "It was cut or mistyped. Copy the whole key again."
        ),
        ["unknown_key"] = (
            "The key that was sent belongs to no project of this server.",
            "Check that it is a key of this server. Otherwise create a key, or rotate the right one."
        ),
        ["revoked_key"] = ("The key was sent after it was revoked.", "Find the sender, and give it another key."),
        ["expired_key"] = (
            "The key was sent after it had expired.",
            "Create another key, or set a later expiry on its page."
        ),
        ["rotated_key"] = (
            "The key's former secret was sent after the overlap of its rotation.",
            "Give the sender the new text, which was shown at the rotation. If it is lost, rotate the key again."
        ),
        ["bad_signature"] = (
            "A token was sent that is not signed with the root key of its project, or does not name this server.",
            "Mint it here, or sign it with the present root key. After a rotation without overlap mint all anew."
        ),
        ["expired"] = (
            "A token or session was sent after it had expired.",
            "Mint another. Check the clock of the machine that mints."
        ),
        ["revoked"] = (
            "The token or session was revoked, or its key or attempt has ended.",
            "Mint another with a valid key."
        ),
        ["wrong_project"] = (
            "The token belongs to a project that does not exist.",
            "Mint it with a key of the right server."
        ),
        ["wrong_kind"] = (
            "The credential is of a kind that this door does not take.",
            "Send a credential that the door takes."
        ),
        ["wrong_secret"] = (
            "The callback secret belongs to no project.",
            "Give the orchestrator one of the live callback secrets: they are listed under Keys."
        ),
        ["wrong_callback_token"] = (
            "The callback token does not belong to the run and attempt that were named.",
            "Send the three headers as they came with the dispatch: token, run, attempt."
        ),
        ["no_session"] = ("The session of the cookie has ended, or never existed.", "Sign in again."),
        ["other_identity"] = (
            "The proxy named another person than the one whose session it is, so the session was ended.",
            "Sign in again as the person whom the proxy names."
        ),
        ["cross_site"] = (
            "A page of another site made the request, with what the browser or proxy adds by itself.",
            "Nothing, if nobody here made that page: it is what the check is for."
        ),
        ["foreign_form"] = (
            "The form is not from a page of the session.",
            "Open the page again and send it from there. Behind a proxy: is Postern:PublicUrl what people use?"
        ),
        ["self_approval"] = ("The asker tried to decide its own question.", "Let somebody else decide."),
        ["too_many_failures"] = (
            "The address has sent more wrong credentials than Postern:RateLimits:FailuresPerMinute allows.",
            "Valid credentials still work from there. Find who sends the wrong ones: the entries have the same address."
        ),
        ["rate_limited"] = (
            "There were more requests than the rate allows.",
            "Wait as long as Retry-After says, or raise the limits in Postern:RateLimits."
        ),
        ["rate_limited_trigger"] = (
            "There were more requests than the trigger's rateLimit allows.",
            "Raise it, or slow the sender down."
        ),
        ["in_flight_limit"] = (
            "The signature was valid, but all maxInFlight places of the trigger were taken.",
            "Check what its runs wait for, or raise maxInFlight."
        ),
        ["no_signature"] = (
            "No signature was sent, or not in the header that the trigger reads.",
            "Set the secret at the sender, and compare the header with the trigger's scheme."
        ),
        ["wrong_signature"] = (
            "The signature fits none of the trigger's secrets and this body.",
            "Use the same secret at both ends. If it is the same, a proxy changes the body, or the scheme differs."
        ),
        ["retired_secret"] = (
            "It was signed with a secret that the trigger had before its last changes.",
            "Give the sender the present secret, or keep both in the trigger (secrets) until the sender has changed."
        ),
        ["paused"] = (
            "The signature was valid, but the trigger is paused. The sender got the 404 of an unknown trigger.",
            "Resume the trigger: isActive true."
        ),
    };

    private static (string Presented, string Todo) OfReason(AuditRow row, string reason)
    {
        return row.Action switch
        {
            Audit.ScopeRefused when !Known.ContainsKey(reason) => (
                $"{Who(row)} was sent. It is good, but does not give {reason}.",
                "Send one that gives it, or add the scope to the key on its page."
            ),
            Audit.InboundRefused when reason.StartsWith("signed_", StringComparison.Ordinal) => OfInstant(reason),
            "key.exposed" => (
                "A credential stood in the URL, where logs keep it.",
                "Rotate it without overlap, and send it in a header."
            ),
            _ when Known.TryGetValue(reason, out var known) => known,
            Audit.RateRefused => (
                $"{Who(row)} reached a limit: {reason}.",
                "Wait, or raise the limit in the settings."
            ),
            _ => ($"{Who(row)} was sent; it was refused as {reason}.", "Check what the door takes."),
        };
    }

    /// <param name="door">The door of the row's route; null where there is none by that name any more.</param>
    public static RefusalWords Of(AuditRow row, Door? door)
    {
        var reason = row.Reason ?? "";
        var (presented, todo) = OfReason(row, reason);
        if (
            row.Actor is { } actor
            && row.Action == Audit.CredentialRefused
            && actor.StartsWith("key_", StringComparison.Ordinal)
        )
            presented = presented.Replace("The key", "The key " + actor, StringComparison.Ordinal);
        return new RefusalWords(presented, door is null ? "" : TakesOf(door), todo);
    }

    /// <summary>Returns what a door accepts, in words.</summary>
    public static string TakesOf(Door door)
    {
        var kinds = Kinds.Where(k => (door.Credentials & k.Kind) != 0).Select(k => k.Words);
        var scope = door.Authorization.Description;
        return string.Join("; or ", kinds) + (scope is "-" or "any" ? "." : $". It asks for: {scope}.");
    }

    private static string Who(AuditRow row) =>
        row.Actor is null ? "A credential" : $"A credential ({row.Credential}) of {row.Actor}";

    private static (string, string) OfInstant(string reason)
    {
        var parts = reason.Split('_');
        var (seconds, isAhead) = (
            parts.Length > 1 ? parts[1] : "?",
            reason.EndsWith("ahead", StringComparison.Ordinal)
        );
        return (
            $"It was rightly signed, but {seconds} s {(isAhead ? "ahead of this server's time" : "before it came")}: "
                + "more than is allowed.",
            isAhead
                ? "Set the sender's clock, or this server's: postern doctor looks at it."
                : "Set the clocks right; or look at what holds the request up. What is sent again must be signed again."
        );
    }
}

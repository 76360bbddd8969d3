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
            "Something was sent that is neither a key nor a token.",
            "Look at the header: the word Bearer, one blank, then the key or token, whole and without quotes."
        ),
        ["mistyped_key"] = (
            "A text was sent that begins like a key, but its check letters are wrong.",
            "It was cut or mistyped: copy the key again, whole."
        ),
        ["unknown_key"] = (
            "A text was sent that is no key of any project here.",
            "Is it of another server? Make a key, or rotate the one that is meant."
        ),
        ["revoked_key"] = (
            "The key was sent after it was revoked.",
            "Make another key for whoever sends this, or find out who does."
        ),
        ["expired_key"] = (
            "The key was sent after its end.",
            "Make another key; a key that has ended can be lengthened on its page."
        ),
        ["rotated_key"] = (
            "The key's former secret was sent after the overlap of its rotation.",
            "Give its new text to whoever sends this; it was shown when it was rotated. Lost: rotate it again."
        ),
        ["bad_signature"] = (
            "A token was sent that is not signed with the root key of its project, or does not name this server.",
            "Mint it here, or sign it with the present root key. After a rotation without overlap mint all anew."
        ),
        ["expired"] = ("A token or session was sent after its end.", "Mint another; look at the clock of who mints."),
        ["revoked"] = (
            "A token or session was sent that has been ended, or whose key or attempt has.",
            "Mint another with a key that lives."
        ),
        ["wrong_project"] = (
            "A token of a project that there is not was sent.",
            "Mint it with a key of the right server."
        ),
        ["wrong_kind"] = (
            "A credential was sent that is of another kind than this door takes.",
            "Send one that it takes."
        ),
        ["wrong_secret"] = (
            "A callback secret was sent that is none of any project.",
            "Give the orchestrator one of the live callback secrets: they are listed under Keys."
        ),
        ["wrong_callback_token"] = (
            "A callback token was sent that is not that of the run and attempt named beside it.",
            "Send the three headers as they came with the dispatch: token, run, attempt."
        ),
        ["no_session"] = ("A cookie was sent whose session has ended, or never was.", "Sign in again."),
        ["other_identity"] = (
            "The proxy named another person than the one whose session it is, so the session was ended.",
            "Sign in again as the person whom the proxy names."
        ),
        ["cross_site"] = (
            "A page of another site made the request, with what the browser or proxy adds by itself.",
            "Nothing, if nobody here made that page: it is what the check is for."
        ),
        ["foreign_form"] = (
            "A form came that is not from a page of the session.",
            "Open the page again and send it from there. Behind a proxy: is Postern:PublicUrl what people use?"
        ),
        ["self_approval"] = ("Who asked a question answered it.", "Let somebody else decide."),
        ["too_many_failures"] = (
            "The address has sent more wrong credentials than Postern:RateLimits:FailuresPerMinute allows.",
            "A right credential is still taken from there. Find what sends wrong ones: its rows have the same address."
        ),
        ["rate_limited"] = (
            "More requests came than the rate allows.",
            "Let it wait for as long as Retry-After says; or raise Postern:RateLimits."
        ),
        ["rate_limited_trigger"] = (
            "More requests came than the trigger's rateLimit.",
            "Raise it, or let the sender slow down."
        ),
        ["in_flight_limit"] = (
            "It was rightly signed, but all of the trigger's maxInFlight places were taken.",
            "Look at what its runs wait for, or raise maxInFlight."
        ),
        ["no_signature"] = (
            "No signature was sent, or not in the header that the trigger looks at.",
            "Set the secret at the sender; and compare the header with the scheme that the trigger names."
        ),
        ["wrong_signature"] = (
            "A signature was sent that none of the trigger's secrets makes of this body.",
            "Put the same secret at both ends. If it is the same: a proxy changes the body, or the scheme is another."
        ),
        ["retired_secret"] = (
            "It was signed with a secret that the trigger had before its last changes.",
            "Give the sender the present secret; or keep both in the trigger (secrets) until it has changed over."
        ),
        ["paused"] = (
            "It was rightly signed, but the trigger is paused: the sender was told that there is none.",
            "Start the trigger again: isActive true."
        ),
    };

    private static (string Presented, string Todo) OfReason(AuditRow row, string reason)
    {
        return row.Action switch
        {
            Audit.ScopeRefused when !Known.ContainsKey(reason) => (
                $"{Who(row)} was sent. It is good, but does not give {reason}.",
                "Send one that gives it; or widen the key's scopes on its page, if that is what it is for."
            ),
            Audit.InboundRefused when reason.StartsWith("signed_", StringComparison.Ordinal) => OfInstant(reason),
            "key.exposed" => (
                "A credential stood in the URL, where logs keep it.",
                "Rotate it without overlap, and send it in a header."
            ),
            _ when Known.TryGetValue(reason, out var known) => known,
            Audit.RateRefused => (
                $"{Who(row)} had come up to a limit: {reason}.",
                "Let it wait, or raise the limit in the settings."
            ),
            _ => ($"{Who(row)} was sent; it was refused as {reason}.", "Look at what the door takes."),
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

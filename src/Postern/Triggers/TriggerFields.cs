using System.Text.Json;
using Postern.Access;
using Postern.Agents;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// Checks the body of a trigger and applies it to the present one: null clears a member, an absent one stays. Unknown
/// members are stored as settings.
/// </summary>
internal sealed class TriggerFields(TriggerStore triggers, PosternOptions options)
{
    public const int MaxBody = 64 * 1024;
    private const int MaxSettings = 16 * 1024;
    private static readonly string[] Methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

    /// <summary>The text that existing callers know.</summary>
    public const string BothRequired = "Webhook auth requires both header and secret";

    /// <summary>
    /// Returns the trigger as it will be. Faults are left in <paramref name="fields"/>, and then the result is
    /// meaningless.
    /// </summary>
    /// <param name="tx">To look up the agent.</param>
    /// <param name="fields">The body, read once in each run of the transaction.</param>
    /// <param name="before">What there is, or the empty trigger of this name.</param>
    /// <param name="replaces">Whether absent fields go back to their defaults.</param>
    public async ValueTask<Trigger> ReadAsync(Tx tx, Fields fields, Trigger before, bool replaces)
    {
        var asked = fields.Read<PutTrigger>();
        var start = replaces ? before.WithoutConfiguration() : before;
        var trigger = start with
        {
            Agent = await AgentOfAsync(tx, asked, fields, before, replaces),
            Mode = ModeOf(asked, fields, before, replaces),
            Template = TemplateOf(asked, fields, start),
            IsActive = asked.IsActive ?? start.IsActive,
            SessionMode = asked.SessionMode ?? start.SessionMode,
            SessionKey = fields.Changed("sessionKey", asked.SessionKey, start.SessionKey),
            Cron = fields.Changed("cronExpression", asked.CronExpression, start.Cron),
            Zone = fields.Changed("cronTimezone", asked.CronTimezone, start.Zone),
            Filter = fields.Changed("filter", FilterOf(asked, fields), start.Filter),
            DeliveryIdHeader = fields.Changed("deliveryIdHeader", asked.DeliveryIdHeader, start.DeliveryIdHeader),
            Methods = fields.Changed("methods", asked.Methods, start.Methods) ?? [],
            MaxInFlight =
                fields.Changed("maxInFlight", asked.MaxInFlight, start.MaxInFlight) ?? Trigger.StandardMaxInFlight,
            DeadlineSeconds = fields.Changed("deadlineSeconds", asked.DeadlineSeconds, start.DeadlineSeconds),
            RateLimit = fields.Changed("rateLimit", asked.RateLimit, start.RateLimit),
            Settings = SettingsOf(fields, start.Settings),
        };
        Check(trigger, asked, fields);
        return Scheduled(
            Authenticated(trigger, asked, fields, before, replaces),
            before,
            ScheduleOf(trigger, fields, tx.Now),
            tx.Now
        );
    }

    /// <summary>A delay of 0 to 30 s, so that not all schedules of a full hour begin at the same moment.</summary>
    public static long Jitter() => Random.Shared.NextInt64(30_000_001);

    private async ValueTask<string> AgentOfAsync(Tx tx, PutTrigger asked, Fields fields, Trigger before, bool replaces)
    {
        var kept = replaces || before.Agent.Length == 0 ? options.DefaultAgent : before.Agent;
        var agent = asked.Agent ?? kept;
        if (!replaces && agent != before.Agent)
            fields.Fault("agent", "cannot be changed: make another trigger");
        else if (await AgentStore.FindAsync(tx, before.Project, agent) is null)
            fields.Fault("agent", $"{agent} is not registered");
        return agent;
    }

    private static string ModeOf(PutTrigger asked, Fields fields, Trigger before, bool replaces)
    {
        var mode = asked.ActivationMode ?? (replaces ? Trigger.Webhook : before.Mode);
        if (!replaces && mode != before.Mode)
            fields.Fault("activationMode", "cannot be changed: make another trigger");
        return mode;
    }

    private static string TemplateOf(PutTrigger asked, Fields fields, Trigger start)
    {
        if (fields.IsNull("promptTemplate"))
            fields.Fault("promptTemplate", "cannot be cleared");
        return asked.PromptTemplate ?? start.Template;
    }

    private static string? FilterOf(PutTrigger asked, Fields fields) =>
        asked.Filter is { } filter ? InboundFilter.Of(filter, fields.Part("filter")!) : null;

    /// <summary>Checks members that depend on each other.</summary>
    private static void Check(Trigger trigger, PutTrigger asked, Fields fields)
    {
        if (trigger is { SessionMode: Trigger.ByKey, SessionKey: null })
            fields.Fault("sessionKey", "is required with the sessionMode byKey");
        if (asked.DeliveryIdHeader is { } header && !WebhookAuth.IsName(header))
            fields.Fault("deliveryIdHeader", "must be the name of a header");
        if (asked.Methods?.FirstOrDefault(m => !Methods.Contains(m, StringComparer.Ordinal)) is { } wrong)
            fields.Fault("methods", $"holds {wrong}, which is none of {string.Join(", ", Methods)}");
    }

    /// <summary>Returns when it fires; null when it has no schedule, or when there is a fault.</summary>
    private static CronSchedule? ScheduleOf(Trigger trigger, Fields fields, long now)
    {
        if (trigger.Mode == Trigger.Scheduled && trigger.Cron is null)
            fields.Fault("cronExpression", "is required with the activationMode scheduled");
        if (trigger.Mode != Trigger.Scheduled && trigger.Cron is not null)
            fields.Fault("cronExpression", "is for the activationMode scheduled");
        if (trigger.Mode != Trigger.Scheduled || trigger.Cron is null)
            return null;
        var (schedule, field, problem) = CronSchedule.Parse(trigger.Cron, trigger.Zone ?? "UTC", now);
        if (problem is not null)
            fields.Fault(field!, problem);
        return schedule;
    }

    /// <summary>Sets its next occurrence, counted from now; a paused one has none.</summary>
    private static Trigger Scheduled(Trigger trigger, Trigger before, CronSchedule? schedule, long now)
    {
        // A change of something else must not lose an occurrence that is about to fire.
        if (
            trigger.IsActive
            && before is { IsActive: true, NextAt: not null }
            && (before.Cron, before.Zone) == (trigger.Cron, trigger.Zone)
        )
            return trigger with { NextAt = before.NextAt, DueAt = before.DueAt };
        var next = trigger.IsActive ? schedule?.After(now) : null;
        return trigger with { NextAt = next, DueAt = next + Jitter() };
    }

    /// <summary>
    /// Applies the authentication, member by member: null clears one, an absent one stays. A secret replaces all
    /// secrets.
    /// </summary>
    private Trigger Authenticated(Trigger trigger, PutTrigger body, Fields fields, Trigger before, bool replaces)
    {
        if (fields.IsNull("webhookAuth"))
            return trigger.WithoutAuth();
        if (body.WebhookAuth is not { } asked || fields.Part("webhookAuth") is not { } auth)
            return trigger;
        var scheme = SchemeOf(asked, auth, trigger);
        var header = HeaderOf(asked, auth, trigger, scheme);
        var form = FormOf(asked, auth, trigger, scheme);
        var isNamed = (scheme ?? header) is not null;
        if (!replaces && !isNamed && Clears(asked, auth))
            return trigger.WithoutAuth();
        WebhookAuth.CheckHeader(auth, scheme, header);
        var rule = SignatureScheme.Of(scheme ?? SignatureScheme.HeaderSecret)!;
        var secrets = SecretsOf(asked, auth, trigger, rule);
        CheckBoth(fields, auth, isNamed && secrets.Count > 0);
        return trigger with
        {
            AuthScheme = rule.Name,
            AuthHeader = header,
            AuthSealed = triggers.Protect(trigger.Project, trigger.Uid, secrets),
            AuthForm = form,
            // A secret of another scheme is of no use here.
            RetiredSealed = before.AuthScheme == rule.Name ? triggers.Retire(before, secrets) : null,
        };
    }

    /// <summary>An unknown scheme has its own fault.</summary>
    private static void CheckBoth(Fields fields, Fields auth, bool areThere)
    {
        if (!areThere && auth.Faults.All(f => f.Field != "scheme"))
            fields.Fault("webhookAuth", BothRequired);
    }

    private static bool Clears(PutWebhookAuth asked, Fields auth) =>
        ClearsSecrets(asked, auth) && auth.Faults.Count == 0;

    private static bool ClearsSecrets(PutWebhookAuth asked, Fields auth) =>
        (auth.IsNull("secret") || auth.IsNull("secrets")) && GivenSecrets(asked) is not { Count: > 0 };

    /// <summary>Returns the given secrets, else the present ones, unless they are cleared.</summary>
    private IReadOnlyList<string> SecretsOf(PutWebhookAuth asked, Fields auth, Trigger trigger, SignatureScheme rule)
    {
        var clears = ClearsSecrets(asked, auth);
        var secrets = GivenSecrets(asked) ?? (clears ? [] : triggers.RuleOf(trigger)?.Secrets ?? []);
        // Present secrets were checked when they were set.
        return GivenSecrets(asked) is null && trigger.AuthScheme == rule.Name
            ? secrets
            : WebhookAuth.CheckSecrets(auth, rule, secrets, asked.Secret is not null);
    }

    private static IReadOnlyList<string>? GivenSecrets(PutWebhookAuth asked) =>
        asked.Secrets ?? (asked.Secret is { } one ? [one] : null);

    /// <summary>Null: a secret in a header.</summary>
    private static string? SchemeOf(PutWebhookAuth asked, Fields auth, Trigger trigger)
    {
        var kept = trigger.AuthScheme == SignatureScheme.HeaderSecret ? null : trigger.AuthScheme;
        return auth.Changed("scheme", asked.Scheme, kept);
    }

    /// <summary>A header of another scheme is not kept.</summary>
    private static string? HeaderOf(PutWebhookAuth asked, Fields auth, Trigger trigger, string? scheme)
    {
        var isSameScheme = (scheme ?? SignatureScheme.HeaderSecret) == trigger.AuthScheme;
        return auth.Changed("header", asked.Header, isSameScheme ? trigger.AuthHeader : null);
    }

    private static HmacForm? FormOf(PutWebhookAuth asked, Fields auth, Trigger trigger, string? scheme)
    {
        if (scheme == SignatureScheme.Hmac)
            return WebhookAuth.FormOf(asked, auth, trigger.AuthForm ?? new HmacForm());
        foreach (var name in PutWebhookAuth.OfHmac.Where(auth.Names))
            auth.Fault(name, "is for the scheme hmac");
        return null;
    }

    /// <summary>Returns all other members: stored unchanged, over the present ones; null removes a member.</summary>
    private static string? SettingsOf(Fields fields, string? before)
    {
        var settings = before is null
            ? new Dictionary<string, JsonElement>(StringComparer.Ordinal)
            : JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(before, Wire.Json)!;
        foreach (var (name, value) in fields.Unknown())
        {
            if (!JsonText.IsKeepable(value))
                fields.Fault(name, "holds text that is not valid Unicode");
            else if (value.ValueKind == JsonValueKind.Null)
                settings.Remove(name);
            else
                settings[name] = value;
        }
        if (settings.Count == 0)
            return null;
        var text = JsonSerializer.Serialize(settings, Wire.Json);
        if (text.Length > MaxSettings)
            fields.Fault("settings", $"must be at most {MaxSettings} characters together");
        return text;
    }
}

using System.Text.Json;
using Postern.Access;
using Postern.Agents;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// What a body says of a trigger, checked, on top of what there is: null clears, absent keeps. What it does not know is
/// kept as settings.
/// </summary>
internal sealed class TriggerFields(TriggerStore triggers, PosternOptions options)
{
    public const int MaxBody = 64 * 1024;
    private const int MaxSettings = 16 * 1024;
    private static readonly string[] Methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

    /// <summary>
    /// The trigger as it is to be. Faults are left in <paramref name="fields"/>, and then it means nothing.
    /// </summary>
    /// <param name="tx">To look up the agent.</param>
    /// <param name="fields">The body.</param>
    /// <param name="before">What there is, or the empty trigger of this name.</param>
    /// <param name="replaces">Whether absent fields go back to their defaults.</param>
    public async ValueTask<Trigger> ReadAsync(Tx tx, Fields fields, Trigger before, bool replaces)
    {
        var start = replaces
            ? before with
            {
                Settings = null,
                Template = "",
                IsActive = true,
                Cron = null,
                Zone = null,
                SessionMode = Trigger.PerRequest,
                SessionKey = null,
                AuthScheme = null,
                AuthHeader = null,
                AuthSealed = null,
                AuthForm = null,
                Filter = null,
                DeliveryIdHeader = null,
                Methods = [],
                MaxInFlight = 20,
                DeadlineSeconds = null,
                RateLimit = null,
            }
            : before;
        var agent =
            fields.Text("agent", 1, 128)
            ?? (before.Agent.Length > 0 && !replaces ? before.Agent : options.DefaultAgent);
        if (!replaces && agent != before.Agent)
            fields.Fault("agent", "cannot be changed: make another trigger");
        else if (await AgentStore.FindAsync(tx, before.Project, agent) is null)
            fields.Fault("agent", $"{agent} is not registered");
        var mode =
            fields.Word("activationMode", [Trigger.Webhook, Trigger.Scheduled])
            ?? (replaces ? Trigger.Webhook : before.Mode);
        if (!replaces && mode != before.Mode)
            fields.Fault("activationMode", "cannot be changed: make another trigger");
        var template =
            fields.Text("promptTemplate", 1, PromptTemplate.MaxTemplate, required: replaces) ?? start.Template;
        if (fields.IsNull("promptTemplate"))
            fields.Fault("promptTemplate", "cannot be cleared");
        var sessionMode =
            fields.Word("sessionMode", [Trigger.PerRequest, Trigger.PerTrigger, Trigger.ByKey]) ?? start.SessionMode;
        var sessionKey = fields.IsNull("sessionKey") ? null : fields.Text("sessionKey", 1, 1000) ?? start.SessionKey;
        if (sessionMode == Trigger.ByKey && sessionKey is null)
            fields.Fault("sessionKey", "is required with the sessionMode byKey");
        var cron = fields.IsNull("cronExpression")
            ? null
            : fields.Text("cronExpression", 1, 100, trim: true) ?? start.Cron;
        var zone = fields.IsNull("cronTimezone") ? null : fields.Text("cronTimezone", 1, 64) ?? start.Zone;
        CronSchedule? schedule = null;
        if (mode == Trigger.Scheduled)
        {
            if (cron is null)
                fields.Fault("cronExpression", "is required with the activationMode scheduled");
            else
            {
                (schedule, var field, var problem) = CronSchedule.Parse(cron, zone ?? "UTC", tx.Now);
                if (problem is not null)
                    fields.Fault(field!, problem);
            }
        }
        else if (cron is not null)
            fields.Fault("cronExpression", "is for the activationMode scheduled");
        var trigger = start with
        {
            Agent = agent,
            Mode = mode,
            Template = template,
            IsActive = fields.Flag("isActive") ?? start.IsActive,
            SessionMode = sessionMode,
            SessionKey = sessionKey,
            Cron = cron,
            Zone = zone,
            Filter = fields.IsNull("filter") ? null : InboundFilter.Read(fields) ?? start.Filter,
            DeliveryIdHeader = fields.IsNull("deliveryIdHeader")
                ? null
                : ReadDeliveryId(fields) ?? start.DeliveryIdHeader,
            Methods = fields.IsNull("methods") ? [] : ReadMethods(fields) ?? start.Methods,
            MaxInFlight = fields.IsNull("maxInFlight") ? 20 : fields.Whole("maxInFlight", 1, 1000) ?? start.MaxInFlight,
            DeadlineSeconds = fields.IsNull("deadlineSeconds")
                ? null
                : fields.Whole("deadlineSeconds", 1, 2_592_000) ?? start.DeadlineSeconds,
            RateLimit = fields.IsNull("rateLimit") ? null : fields.Whole("rateLimit", 1, 1_000_000) ?? start.RateLimit,
        };
        trigger = ReadAuth(fields, trigger, replaces);
        trigger = trigger with { Settings = ReadSettings(fields, start.Settings) };
        // An occurrence that is about to fire is not lost to a change of something else.
        if (
            trigger.IsActive
            && before is { IsActive: true, NextAt: not null }
            && before.Cron == trigger.Cron
            && before.Zone == trigger.Zone
        )
            return trigger with { NextAt = before.NextAt, DueAt = before.DueAt };
        // Its next occurrence counts from now; a paused one has none.
        var next = trigger.IsActive ? schedule?.After(tx.Now) : null;
        return trigger with { NextAt = next, DueAt = next + Jitter() };
    }

    /// <summary>0 to 30 s, so that all the schedules of a full hour do not begin in one moment.</summary>
    public static long Jitter() => Random.Shared.NextInt64(30_000_001);

    /// <summary>
    /// The authentication, member by member: null clears one, an absent one stays. A secret stands for all secrets.
    /// </summary>
    private Trigger ReadAuth(Fields fields, Trigger trigger, bool replaces)
    {
        if (fields.IsNull("webhookAuth"))
            return WithoutAuth(trigger);
        if (fields.Object("webhookAuth") is not { } given)
            return trigger;
        var auth = new Fields(given);
        var scheme =
            auth.Word("scheme", SignatureScheme.Named)
            ?? (
                auth.IsNull("scheme") || trigger.AuthScheme == SignatureScheme.HeaderSecret ? null : trigger.AuthScheme
            );
        // A header of one scheme is none of another's.
        var keepsHeader = (scheme ?? SignatureScheme.HeaderSecret) == trigger.AuthScheme && !auth.IsNull("header");
        var header = auth.Text("header", 1, 128) ?? (keepsHeader ? trigger.AuthHeader : null);
        var one = auth.Text("secret", 1, 512);
        var secrets = auth.Texts("secrets", 5, 512) ?? (one is null ? null : [one]);
        var clears = auth.IsNull("secret") || auth.IsNull("secrets");
        var isGiven = secrets is not null;
        secrets ??= clears ? [] : [.. triggers.RuleOf(trigger)?.Secrets ?? []];
        var form =
            scheme == SignatureScheme.Hmac ? WebhookAuth.ReadForm(auth, trigger.AuthForm ?? new HmacForm()) : null;
        auth.RefuseUnknown();
        if (!replaces && clears && secrets.Count == 0 && scheme is null && header is null && auth.Faults.Count == 0)
            return WithoutAuth(trigger);
        WebhookAuth.CheckHeader(auth, scheme, header);
        // Secrets that stay are those of a scheme that has checked them.
        var rule = SignatureScheme.Of(scheme ?? SignatureScheme.HeaderSecret)!;
        var isSameRule = trigger.AuthScheme == rule.Name;
        if (isGiven || !isSameRule)
            secrets = WebhookAuth.CheckSecrets(auth, rule, secrets, one is not null);
        if (auth.Faults.All(f => f.Field != "scheme") && (secrets.Count == 0 || (scheme is null && header is null)))
        {
            fields.Fault("webhookAuth", BothRequired);
            return trigger;
        }
        foreach (var (field, problem) in auth.Faults)
            fields.Fault("webhookAuth." + field, problem);
        if (auth.Faults.Count > 0)
            return trigger;
        return trigger with
        {
            AuthScheme = rule.Name,
            AuthHeader = header,
            AuthSealed = triggers.Protect(trigger.Project, trigger.Uid, secrets),
            AuthForm = form,
        };
    }

    private static Trigger WithoutAuth(Trigger trigger) =>
        trigger with
        {
            AuthScheme = null,
            AuthHeader = null,
            AuthSealed = null,
            AuthForm = null,
        };

    private static string? ReadDeliveryId(Fields fields)
    {
        var header = fields.Text("deliveryIdHeader", 1, 128);
        if (header is not null && !WebhookAuth.IsName(header))
            fields.Fault("deliveryIdHeader", "must be the name of a header");
        return header;
    }

    /// <summary>The words that existing callers know.</summary>
    public const string BothRequired = "Webhook auth requires both header and secret";

    private static List<string>? ReadMethods(Fields fields)
    {
        var methods = fields.Texts("methods", Methods.Length, 10);
        if (methods?.FirstOrDefault(m => !Methods.Contains(m, StringComparer.Ordinal)) is { } wrong)
            fields.Fault("methods", $"holds {wrong}, which is none of {string.Join(", ", Methods)}");
        return methods;
    }

    /// <summary>Everything else that was sent: kept as it came, over what there is; null takes a member away.</summary>
    private static string? ReadSettings(Fields fields, string? before)
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

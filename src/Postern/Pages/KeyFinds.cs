using Postern.Access;

namespace Postern.Pages;

/// <summary>
/// Finds keys, rows of the audit, callback secrets and sessions of the console, for administrators only.
/// </summary>
internal sealed class KeyFinds(KeyStore keys, AuditStore audit, CallbackSecrets secrets, ConsoleSessions sessions)
{
    /// <summary>Returns the page of a key or a row by its whole id, or null when the caller may see none.</summary>
    public async ValueTask<string?> PathAsync(PageContext context, string id)
    {
        if (!context.MayAdmin)
            return null;
        if (Is(id, "key"))
            return await keys.FindAsync(id) is { } key && key.Project == context.Project
                ? context.Of("/keys", key.Id)
                : null;
        return Is(id, "aud") && await audit.FindAsync(context.Project, id) is { } row
            ? context.Of("/audit", row.Id)
            : null;
    }

    /// <summary>Returns those whose ids begin with the text.</summary>
    public async ValueTask<List<FoundThing>> BeginningWithAsync(PageContext context, string text, int most)
    {
        if (!context.MayAdmin)
            return [];
        if (Is(text, "aud"))
            return
            [
                .. (await audit.BeginningWithAsync(context.Project, text, most)).Select(id => new FoundThing(
                    "audit",
                    id,
                    context.Of("/audit", id)
                )),
            ];
        if (Is(text, "cbs"))
            return OnTab(context, "callback secret", KeyTab.Secrets, text, await SecretIdsAsync(context), most);
        if (Is(text, ConsoleSession.Prefix))
            return OnTab(context, "console session", KeyTab.Sessions, text, await SessionIdsAsync(context), most);
        if (!Is(text, "key"))
            return [];
        var found = await keys.BeginningWithAsync(context.Project, text, most);
        return [.. found.Select(key => new FoundThing("key", key.Id, context.Of("/keys", key.Id)))];
    }

    private async ValueTask<IEnumerable<string>> SecretIdsAsync(PageContext context) =>
        (await secrets.ListAsync(context.Project)).Select(secret => secret.Id);

    private async ValueTask<IEnumerable<string>> SessionIdsAsync(PageContext context) =>
        (await sessions.ListAsync(context.Project, null)).Select(session => session.Id);

    /// <summary>What has no page of its own stands on a tab of the page of keys.</summary>
    private static List<FoundThing> OnTab(
        PageContext context,
        string kind,
        string tab,
        string text,
        IEnumerable<string> ids,
        int most
    ) =>
        [
            .. ids.Where(id => id.StartsWith(text, StringComparison.Ordinal))
                .Take(most)
                .Select(id => new FoundThing(kind, id, KeyTab.Of(context, tab))),
        ];

    private static bool Is(string text, string prefix) => text.StartsWith(prefix + "_", StringComparison.Ordinal);
}

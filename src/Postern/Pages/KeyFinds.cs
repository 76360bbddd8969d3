using Postern.Access;

namespace Postern.Pages;

/// <summary>Finds keys and rows of the audit, for administrators only.</summary>
internal sealed class KeyFinds(KeyStore keys, AuditStore audit)
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

    /// <summary>Keys and rows whose ids begin so.</summary>
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
        if (!Is(text, "key"))
            return [];
        var found = await keys.BeginningWithAsync(context.Project, text, most);
        return [.. found.Select(key => new FoundThing("key", key.Id, context.Of("/keys", key.Id)))];
    }

    private static bool Is(string text, string prefix) => text.StartsWith(prefix + "_", StringComparison.Ordinal);
}

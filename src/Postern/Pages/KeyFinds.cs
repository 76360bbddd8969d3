using Postern.Access;

namespace Postern.Pages;

/// <summary>Keys and rows of the audit, which administrators alone find.</summary>
internal sealed class KeyFinds(KeyStore keys, AuditStore audit)
{
    /// <summary>The page of a key or a row, by its whole id; null where there is none for whoever asks.</summary>
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

    /// <summary>Keys whose ids begin so.</summary>
    public async ValueTask<List<FoundThing>> BeginningWithAsync(PageContext context, string text, int most)
    {
        if (!context.MayAdmin || !Is(text, "key"))
            return [];
        var found = await keys.BeginningWithAsync(context.Project, text, most);
        return [.. found.Select(key => new FoundThing("key", key.Id, context.Of("/keys", key.Id)))];
    }

    private static bool Is(string text, string prefix) => text.StartsWith(prefix + "_", StringComparison.Ordinal);
}

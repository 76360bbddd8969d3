using Postern.Triggers;

namespace Postern.Pages;

/// <summary>The page on which things are tried out.</summary>
internal sealed record PlaygroundModel
{
    public const string Chat = "chat";
    public const string Run = "run";
    public const string Webhook = "webhook";

    /// <summary>The one that is open.</summary>
    public required string Tab { get; init; }

    /// <summary>What whoever is signed in may try on this page.</summary>
    public static IEnumerable<string> TabsOf(PageContext context)
    {
        if (context.MaySome("write", "sessions") || context.MaySome("write", "tasks"))
            yield return Chat;
        if (context.MaySome("write", "runs") || context.MaySome("trigger", "tasks"))
            yield return Run;
        if (context.MaySome("write", "triggers"))
            yield return Webhook;
    }

    /// <summary>The slugs of the agents, as far as he may read them.</summary>
    public IReadOnlyList<string> Agents { get; init; } = [];

    /// <summary>The names of the workflows, as far as he may read them.</summary>
    public IReadOnlyList<string> Workflows { get; init; } = [];

    /// <summary>The triggers that take requests, by their names in scopes, as far as he may read them.</summary>
    public IReadOnlyList<string> Triggers { get; init; } = [];

    /// <summary>The one that a request is sent to; null while none is chosen.</summary>
    public Trigger? Trigger { get; init; }

    /// <summary>What would be sent to it.</summary>
    public WebhookExample? Example { get; init; }

    /// <summary>The statuses that were answered; empty while nothing was sent.</summary>
    public IReadOnlyList<int> Sent { get; init; } = [];

    /// <summary>What was captured of it.</summary>
    public Capture? Capture { get; init; }
}

using Postern.Triggers;

namespace Postern.Pages;

/// <summary>The page of the playground.</summary>
internal sealed record PlaygroundModel
{
    public const string Chat = "chat";
    public const string Run = "run";
    public const string Webhook = "webhook";

    /// <summary>The open tab.</summary>
    public required string Tab { get; init; }

    /// <summary>The tabs that the person may use.</summary>
    public static IEnumerable<string> TabsOf(PageContext context)
    {
        if (context.MaySome("write", "sessions") || context.MaySome("write", "tasks"))
            yield return Chat;
        if (context.MaySome("write", "runs") || context.MaySome("trigger", "tasks"))
            yield return Run;
        if (context.MaySome("write", "triggers"))
            yield return Webhook;
    }

    /// <summary>The slugs of the agents that the person may read.</summary>
    public IReadOnlyList<string> Agents { get; init; } = [];

    /// <summary>The names of the workflows that the person may read.</summary>
    public IReadOnlyList<string> Workflows { get; init; } = [];

    /// <summary>The triggers with a URL that the person may read, as scopes name them.</summary>
    public IReadOnlyList<string> Triggers { get; init; } = [];

    /// <summary>The chosen trigger; null before one is chosen.</summary>
    public Trigger? Trigger { get; init; }

    /// <summary>The request that would be sent to it.</summary>
    public WebhookExample? Example { get; init; }

    /// <summary>The statuses of the answers; empty before a request was sent.</summary>
    public IReadOnlyList<int> Sent { get; init; } = [];

    /// <summary>The capture of that request.</summary>
    public Capture? Capture { get; init; }
}

using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

internal sealed class RunOptions
{
    [Description(
        "Seconds that a run stays for the next message after a turn, unless its session or agent says otherwise."
    )]
    [Range(1, 3600)]
    public int IdleSeconds { get; set; } = 30;

    [Description("Seconds that a run may wait to be taken on by its agent.")]
    [Range(1, 604_800)]
    public int QueuedSeconds { get; set; } = 3600;

    [Description("Seconds that a turn may last without a record from its agent.")]
    [Range(1, 86_400)]
    public int TurnSeconds { get; set; } = 900;

    [Description("Seconds that a run may last in all.")]
    [Range(1, 2_592_000)]
    public int TotalSeconds { get; set; } = 86_400;

    [Description("Turns that this node dispatches at once.")]
    [Range(1, 10_000)]
    public int DispatchConcurrency { get; set; } = 64;

    [Description("Milliseconds between the words of the built-in echo agent.")]
    [Range(0, 60_000)]
    public int EchoDelayMilliseconds { get; set; } = 15;
}

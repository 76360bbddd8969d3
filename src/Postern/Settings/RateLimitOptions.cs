using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

internal sealed class RateLimitOptions
{
    [Description("Requests that a project may send at once before it is slowed down. 0 switches the limit off.")]
    [Range(0, 10_000_000)]
    public int ProjectBurst { get; set; } = 10_000;

    [Description("Requests a second that a project may send for ever. 0 switches the limit off.")]
    [Range(0, 10_000_000)]
    public int ProjectPerSecond { get; set; } = 2_000;

    [Description("Requests that one token may send at once before it is slowed down. 0 switches the limit off.")]
    [Range(0, 10_000_000)]
    public int TokenBurst { get; set; } = 200;

    [Description("Requests a second that one token may send for ever. 0 switches the limit off.")]
    [Range(0, 10_000_000)]
    public int TokenPerSecond { get; set; } = 20;

    [Description(
        "Callbacks and signed requests that a project may be sent at once before they are slowed down: a budget of "
            + "their own. 0 switches the limit off."
    )]
    [Range(0, 10_000_000)]
    public int CallbackBurst { get; set; } = 10_000;

    [Description(
        "Callbacks and signed requests a second that a project may be sent for ever. 0 switches the limit off."
    )]
    [Range(0, 10_000_000)]
    public int CallbackPerSecond { get; set; } = 2_000;

    [Description(
        "Refused credentials a minute from one address before the rest are answered 429; ten times as many from "
            + "loopback. A correct credential is never refused by it. 0 switches the limit off."
    )]
    [Range(0, 1_000_000)]
    public int FailuresPerMinute { get; set; } = 10;
}

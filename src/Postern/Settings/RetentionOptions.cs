using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

internal sealed class RetentionOptions
{
    [Description(
        "Days that ended runs without a session are kept, with their timelines and the reports under whose ids a "
            + "repeat is known. Runs of sessions are kept with their session. 0 keeps them for ever."
    )]
    [Range(0, 36_500)]
    public int RunDays { get; set; } = 90;

    [Description("Days that events and ended deliveries are kept, with their attempts.")]
    [Range(1, 3650)]
    public int DeliveryDays { get; set; } = 30;

    [Description("Finished captures of a trigger that are kept, the newest; those under way are kept beside them.")]
    [Range(1, 100_000)]
    public int CapturesPerTrigger { get; set; } = 100;

    [Description("Days that audit rows are kept.")]
    [Range(1, 3650)]
    public int AuditDays { get; set; } = 90;

    [Description("Days that the metrics of hours are kept. Those of minutes are kept for 48 hours.")]
    [Range(1, 366)]
    public int MetricDays { get; set; } = 90;

    [Description(
        "Days that a closed or expired session is kept with its records and transcript. 0 keeps them for ever."
    )]
    [Range(0, 36_500)]
    public int ClosedSessionDays { get; set; }
}

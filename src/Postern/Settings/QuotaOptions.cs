using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

/// <summary>
/// How many of a thing there may be, so that one party's number does not affect others. 0 means no limit.
/// </summary>
internal sealed class QuotaOptions
{
    [Description("Open streams and waiting requests of one token on a node; over it 429. 0: no bound.")]
    [Range(0, 1_000_000)]
    public int StreamsPerToken { get; set; } = 32;

    [Description("Open streams and waiting requests of one key or operator on a node; over it 429. 0: no bound.")]
    [Range(0, 10_000_000)]
    public int StreamsPerKey { get; set; } = 10_000;

    [Description("Keys of a project; over it 409. 0: no bound.")]
    [Range(0, 1_000_000)]
    public int Keys { get; set; } = 1_000;

    [Description("Webhook endpoints of a project; over it 409. 0: no bound.")]
    [Range(0, 1_000_000)]
    public int Endpoints { get; set; } = 100;

    [Description("Triggers of a project; over it 409. 0: no bound.")]
    [Range(0, 1_000_000)]
    public int Triggers { get; set; } = 1_000;

    [Description("Agents of a project; over it 409. 0: no bound.")]
    [Range(0, 1_000_000)]
    public int Agents { get; set; } = 1_000;

    [Description(
        "Bytes of a turn's records that its message is made of. What is beyond is streamed and kept, but cut from the "
            + "message, which says so. 0: no bound."
    )]
    [Range(0, int.MaxValue)]
    public int TurnBytes { get; set; } = 16 * 1024 * 1024;

    [Description(
        "Bytes of a session's records: one that holds as many takes no more (409 quota_reached). 0: no bound."
    )]
    [Range(0, int.MaxValue)]
    public int SessionBytes { get; set; } = 1024 * 1024 * 1024;
}

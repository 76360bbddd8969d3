using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

internal sealed class ConsoleOptions
{
    [Description("Serve the console under `/console`. When false, every path there is 404.")]
    public bool Enabled { get; set; } = true;

    [Description("Minutes without a request after which a console session ends.")]
    [Range(5, 1440)]
    public int IdleMinutes { get; set; } = 60;

    [Description("Hours after which a console session ends, however much it is used.")]
    [Range(1, 168)]
    public int MaxHours { get; set; } = 12;

    [Description(
        "Allow signing in over plain HTTP from beyond loopback: the key and the session can then be read on the way."
    )]
    public bool DangerousPlainHttp { get; set; }

    public OidcOptions Oidc { get; set; } = new();
}

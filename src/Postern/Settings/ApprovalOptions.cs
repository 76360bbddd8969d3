using System.ComponentModel;

namespace Postern.Settings;

internal sealed class ApprovalOptions
{
    [Description(
        "Projects, by name or id, in which the key that asked for an approval may also decide it. Whoever asks then "
            + "answers himself: for trying things out."
    )]
    public string[] DangerousSelfApprovalProjects { get; set; } = [];
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Chaos;

/// <summary>One fault: when it begins, what, at which node, for how long, and a number of its own.</summary>
internal sealed record PlannedFault(TimeSpan At, Fault Fault, int Node, TimeSpan For, int Number)
{
    /// <summary>By name: it comes, however late.</summary>
    public bool IsAskedFor { get; init; }
}

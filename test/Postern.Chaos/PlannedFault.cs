using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Chaos;

/// <summary>One fault: when it begins, its kind, its node, its length, and a number of its own.</summary>
internal sealed record PlannedFault(TimeSpan At, Fault Fault, int Node, TimeSpan For, int Number)
{
    /// <summary>It was asked for by name, so it comes however late.</summary>
    public bool IsAskedFor { get; init; }
}

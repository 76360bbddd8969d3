using Postern.Runs;

namespace Postern.Pages;

/// <summary>What the overview shows.</summary>
internal sealed record OverviewModel
{
    /// <summary>The last failures, newest first.</summary>
    public required IReadOnlyList<Run> Failed { get; init; }

    /// <summary>Since when the question waits that waits longest, microseconds; null when none waits.</summary>
    public required long? OldestQuestion { get; init; }

    /// <summary>Endpoints that nothing is sent to.</summary>
    public required int DisabledEndpoints { get; init; }

    /// <summary>Triggers that anybody on the network may call.</summary>
    public required int OpenTriggers { get; init; }

    /// <summary>Whoever is signed in may read runs.</summary>
    public required bool ShowsRuns { get; init; }

    /// <summary>How much does not go on as it should.</summary>
    public required int Stuck { get; init; }

    /// <summary>What happened.</summary>
    public required ChartsModel Charts { get; init; }
}

using Postern.Runs;

namespace Postern.Pages;

/// <summary>What the overview shows.</summary>
/// <param name="Failed">The last failures, newest first.</param>
/// <param name="DisabledEndpoints">Endpoints that nothing is sent to.</param>
/// <param name="OpenTriggers">Triggers that anybody on the network may call.</param>
/// <param name="ShowsRuns">Whoever is signed in may read runs.</param>
/// <param name="Stuck">What does not go on as it should.</param>
/// <param name="Charts">What happened.</param>
internal sealed record OverviewModel(
    IReadOnlyList<Run> Failed,
    int DisabledEndpoints,
    int OpenTriggers,
    bool ShowsRuns,
    int Stuck,
    ChartsModel Charts
);

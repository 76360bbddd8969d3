using Postern.Http;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>A page of runs.</summary>
/// <param name="Counts">How many of what is found have which phase, agent, trigger and failure.</param>
/// <param name="Whys">Why those that have not ended have not, by id.</param>
/// <param name="Starters">Who asked for those that came of no session and no trigger, by id.</param>
internal sealed record RunsModel(
    Listed<Run> Found,
    PageFilters Filters,
    RunsCounted Counts,
    IReadOnlyDictionary<string, Why> Whys,
    IReadOnlyDictionary<string, Actor> Starters
)
{
    public string? Next => Cursor.Text(Found.Next);
}

using Postern.Http;

namespace Postern.Pages;

/// <summary>The outcome of a form: the next page, or why nothing was done.</summary>
internal readonly record struct FormOutcome(string? LeadsTo, Refusal? Refusal)
{
    public static implicit operator FormOutcome(string leadsTo) => new(leadsTo, null);

    public static implicit operator FormOutcome(Refusal refusal) => new(null, refusal);
}

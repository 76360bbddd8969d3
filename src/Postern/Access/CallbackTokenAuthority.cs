namespace Postern.Access;

/// <summary>
/// One attempt of one run, by the callback token that was made for it. What a late report is answered is the run's to
/// say.
/// </summary>
internal sealed class CallbackTokenAuthority(string run, long attempt) : Authority
{
    public override string Credential => "callback_token";

    public override string Actor => run;

    public override ScopeSet Scopes => ScopeSet.Nothing;

    public override Worker Worker { get; } = new(run, attempt, null);

    public override bool Allows(RequiredScope need) => need.Type == "runs" && need.Action == "write" && need.Id == run;

    public override string? WhyEnded(long now) => null;
}

namespace Postern.Access;

/// <summary>
/// The authority of a callback token: one attempt of one run. The run decides how a late report is answered.
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

namespace Postern.Runs;

/// <summary>A run has changed, and its row and its timeline are written.</summary>
/// <param name="Before">As it was.</param>
/// <param name="After">As it is, held by the transaction.</param>
/// <param name="By">Who changed it.</param>
/// <param name="Notice">What an agent that is called is told of the change; null for nothing.</param>
internal sealed record RunMoved(Run Before, HeldRun After, Actor By, string? Notice)
{
    public bool BeginsAttempt => After.Attempt != Before.Attempt;

    public bool Ends => After.IsEnded && !Before.IsEnded;

    public bool ChangesPhase => After.Phase != Before.Phase;
}

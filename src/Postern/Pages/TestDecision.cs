namespace Postern.Pages;

/// <summary>A decision for a test.</summary>
/// <param name="Word">What is decided: a word of the API.</param>
/// <param name="Feedback">What the person says with it; null: nothing.</param>
/// <param name="Form">How it is signed: a <see cref="Access.SignatureForm"/>.</param>
/// <param name="Way">Whether rightly: one of <see cref="TestSender.Ways"/>.</param>
internal sealed record TestDecision(string Word, string? Feedback, string Form, string Way);

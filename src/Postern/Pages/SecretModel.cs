namespace Postern.Pages;

/// <summary>A new secret. It is shown only this once.</summary>
/// <param name="Of">Of what, such as <c>the endpoint orders</c>.</param>
/// <param name="Text">What it is for.</param>
/// <param name="Next">The page of what it belongs to.</param>
/// <param name="Section">The menu's item.</param>
internal sealed record SecretModel(string Of, string Secret, string Text, string Next, string Section);

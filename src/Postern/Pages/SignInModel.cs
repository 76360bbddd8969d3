namespace Postern.Pages;

/// <summary>The content of the sign-in page.</summary>
/// <param name="Problem">Why the last try opened nothing; null at first.</param>
/// <param name="Next">Where to go afterwards.</param>
/// <param name="Identity">Whom a trusted proxy vouches for; null when none does.</param>
/// <param name="RootKey">The id of the default project's root key, for the command.</param>
internal sealed record SignInModel(string? Problem, string Next, string? Identity, string? RootKey)
{
    /// <summary>The host of the identity provider; null when there is none.</summary>
    public string? Provider { get; init; }
}

namespace Postern.Http;

/// <summary>What was wrong with a credential, as far as the families' texts differ.</summary>
internal enum UnfitCredential
{
    Missing,
    BadKey,
    BadToken,
    EndedToken,
}

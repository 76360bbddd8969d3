namespace Postern.Access;

/// <summary>The reason why a token is refused: <c>reason</c> in <c>WWW-Authenticate</c>.</summary>
internal enum TokenFault
{
    Malformed,
    BadSignature,
    Expired,
    Revoked,
    WrongProject,
}

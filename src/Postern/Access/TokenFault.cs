namespace Postern.Access;

/// <summary>The reasons for refusing a token: <c>reason</c> in <c>WWW-Authenticate</c>.</summary>
internal enum TokenFault
{
    Malformed,
    BadSignature,
    Expired,
    Revoked,
    WrongProject,
}

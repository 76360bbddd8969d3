namespace Postern.Access;

/// <summary>Why a token does not open: the <c>reason</c> in <c>WWW-Authenticate</c>.</summary>
internal enum TokenFault
{
    Malformed,
    BadSignature,
    Expired,
    Revoked,
    WrongProject,
}

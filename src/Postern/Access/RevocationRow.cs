namespace Postern.Access;

/// <summary>
/// Ends tokens before their time: by <c>jti</c>, by the digest of one <c>token</c>, or all of a <c>subject</c> issued
/// before an instant.
/// </summary>
internal sealed record RevocationRow(
    string Project,
    string Kind,
    string Value,
    long? IssuedBefore,
    long Until,
    long Changed
);

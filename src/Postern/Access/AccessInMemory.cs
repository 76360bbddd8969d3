namespace Postern.Access;

/// <summary>
/// The part of access that a node keeps in memory. <see cref="AccessWatch"/> keeps it equal to the database.
/// </summary>
internal sealed record AccessInMemory(
    KeyRing Keys,
    Revocations Revocations,
    CallbackSecrets Callbacks,
    ApprovalServices Services
);

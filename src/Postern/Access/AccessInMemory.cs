namespace Postern.Access;

/// <summary>What a node keeps of access in memory, equal to the database: nothing of it is read for a request.</summary>
internal sealed record AccessInMemory(
    KeyRing Keys,
    Revocations Revocations,
    CallbackSecrets Callbacks,
    ApprovalServices Services
);

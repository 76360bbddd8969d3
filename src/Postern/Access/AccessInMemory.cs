namespace Postern.Access;

/// <summary>What a node keeps of access in memory, kept equal to the database by the watch.</summary>
internal sealed record AccessInMemory(
    KeyRing Keys,
    Revocations Revocations,
    CallbackSecrets Callbacks,
    ApprovalServices Services
);

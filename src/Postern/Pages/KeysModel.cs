using Postern.Access;

namespace Postern.Pages;

/// <summary>The content of the open tab of the page of keys.</summary>
internal sealed record KeysModel
{
    public required string Tab { get; init; }

    public required IReadOnlyList<KeyRow> Keys { get; init; }

    public required string? Next { get; init; }

    public required IReadOnlyList<CallbackSecretRow> Secrets { get; init; }

    public required IReadOnlyList<ApprovalService> Services { get; init; }

    /// <summary>The keys that have not ended.</summary>
    public required IReadOnlyList<ConsoleSession> Sessions { get; init; }
}

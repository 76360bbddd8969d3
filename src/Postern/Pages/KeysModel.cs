using Postern.Access;

namespace Postern.Pages;

/// <summary>Keys and what stands beside them, by the tab that is open.</summary>
internal sealed record KeysModel
{
    public required string Tab { get; init; }

    public required IReadOnlyList<KeyRow> Keys { get; init; }

    public required string? Next { get; init; }

    public required IReadOnlyList<CallbackSecretRow> Secrets { get; init; }

    public required IReadOnlyList<ApprovalService> Services { get; init; }

    /// <summary>The living ones.</summary>
    public required IReadOnlyList<ConsoleSession> Sessions { get; init; }
}

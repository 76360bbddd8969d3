namespace Postern.Access;

/// <summary>
/// An outside service that may send decisions about approvals: its name, its secrets, and how it signs.
/// </summary>
/// <param name="Forms">Of <see cref="SignatureForm"/>.</param>
/// <param name="RequireTimestamp">Forms without an instant are refused.</param>
/// <param name="Agents">Whose questions it may decide; null: everybody's.</param>
internal sealed record ApprovalService(
    string Project,
    string Name,
    IReadOnlyList<string> Secrets,
    IReadOnlyList<string> Forms,
    bool RequireTimestamp,
    IReadOnlyList<string>? Agents,
    long CreatedAt,
    long UpdatedAt
)
{
    /// <summary>
    /// Its secrets for forms with a shared secret. A public key is known to everybody, so it must never be used as a
    /// shared secret.
    /// </summary>
    public IReadOnlyList<string> TextSecrets { get; } =
    [.. Secrets.Where(s => !s.StartsWith("whpk_", StringComparison.Ordinal))];

    public bool Serves(string agent) => Agents is null || Agents.Contains(agent, StringComparer.Ordinal);
}

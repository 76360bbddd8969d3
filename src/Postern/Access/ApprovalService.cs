namespace Postern.Access;

/// <summary>
/// Who may bring decisions about approvals from outside: a name, the secrets that it signs with, and how.
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
    /// Its secrets for the forms of a shared secret. A public key is known to everybody: taken for a secret there, it
    /// would let everybody sign.
    /// </summary>
    public IReadOnlyList<string> TextSecrets { get; } =
    [.. Secrets.Where(s => !s.StartsWith("whpk_", StringComparison.Ordinal))];

    public bool Serves(string agent) => Agents is null || Agents.Contains(agent, StringComparer.Ordinal);
}

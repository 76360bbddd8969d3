using System.Text.Json.Serialization;
using Postern.Access;
using Postern.Http;

namespace Postern.Approvals;

/// <param name="Secrets">One, or two while one is rotated: texts, whsec_… or whpk_….</param>
/// <param name="Schemes">Of standard, timed, sha256, raw; all if left out.</param>
/// <param name="Agents">Whose questions it may decide; everybody's if left out.</param>
[Strict]
internal sealed record PutApprovalService(
    [Items("One, or two while one is rotated: texts, whsec_… or whpk_….", 1, ApprovalServices.MaxSecrets)]
        IReadOnlyList<string> Secrets,
    [Member("Of standard, timed, sha256, raw; all if left out.")] IReadOnlyList<string>? Schemes,
    [Member("Whether signatures without a time are refused.", Default = false)]
    [property: JsonPropertyName("require_timestamp")]
        bool RequireTimestamp,
    [Member("Whose questions it may decide; everybody's if left out.")] IReadOnlyList<string>? Agents
);

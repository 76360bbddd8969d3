using System.Text.Json.Serialization;
using Postern.Access;
using Postern.Http;

namespace Postern.Approvals;

[Strict]
internal sealed record PutApprovalService(
    [Texts(
        "One, or two while one is rotated: texts, whsec_… or whpk_….",
        ApprovalServices.MaxSecrets,
        512,
        MinItems = 1
    )]
        IReadOnlyList<string> Secrets,
    [Texts("Of standard, timed, sha256, raw; all if left out.", 4, 32)] IReadOnlyList<string>? Schemes,
    [Member("Whether signatures without a time are refused.", Default = false)]
    [property: JsonPropertyName("require_timestamp")]
        bool RequireTimestamp,
    [Texts("Whose questions it may decide; everybody's if left out.", 100, 128)] IReadOnlyList<string>? Agents
);

using System.Text.Json.Serialization;
using Postern.Access;
using Postern.Http;

namespace Postern.Approvals;

internal sealed record ApprovalServiceView(
    [Member("The service's name.")] string Name,
    [Member("How many secrets it has.")] [property: JsonPropertyName("secret_count")] long SecretCount,
    [Member("How it may sign.")] IReadOnlyList<string> Schemes,
    [Member("Whether signatures without a time are refused.")]
    [property: JsonPropertyName("require_timestamp")]
        bool RequireTimestamp,
    [Member("Whose questions it may decide; null: everybody's.")] IReadOnlyList<string>? Agents,
    [At("When it was made.")] [property: JsonPropertyName("created_at")] string CreatedAt,
    [At("When it changed last.")] [property: JsonPropertyName("updated_at")] string UpdatedAt
)
{
    /// <summary>The number of its secrets.</summary>
    public static ApprovalServiceView Of(ApprovalService s) =>
        new(
            s.Name,
            s.Secrets.Count,
            s.Forms,
            s.RequireTimestamp,
            s.Agents,
            Wire.Iso(s.CreatedAt),
            Wire.Iso(s.UpdatedAt)
        );
}

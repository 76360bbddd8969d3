using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Approvals;

internal sealed record DecisionKnown(
    [Word("The same was decided before.", "already_processed")] string Status,
    [Member("The run.")] [property: JsonPropertyName("execution_id")] string ExecutionId,
    [Member("The state that the run is in.")] [property: JsonPropertyName("current_status")] string CurrentStatus,
    [Member("What was decided.")] [property: JsonPropertyName("approval_status")] string ApprovalStatus
);

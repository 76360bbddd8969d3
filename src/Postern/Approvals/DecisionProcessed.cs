using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Approvals;

internal sealed record DecisionProcessed(
    [Word("The decision counts.", "processed")] string Status,
    [Member("The run.")] [property: JsonPropertyName("execution_id")] string ExecutionId,
    [Member("What was decided.")] string Decision,
    [Member("The state of the run after it.")] [property: JsonPropertyName("new_status")] string NewStatus
);

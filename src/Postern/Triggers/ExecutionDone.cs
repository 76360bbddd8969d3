using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Triggers;

internal sealed record ExecutionDone(
    [Member("True.")] bool Success,
    [Member("More about it, where there is more.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        MessageView? Data
);

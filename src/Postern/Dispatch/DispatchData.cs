using System.Text.Json;

namespace Postern.Dispatch;

/// <summary>The data of a run for its agent, and the copy of it that is kept for people.</summary>
/// <param name="Write">Writes the members of <c>data</c>; those of the session only when the run has one.</param>
/// <param name="WriteCopy">
/// The same without the tokens. When it would be long, the parts that can be read elsewhere are left out.
/// </param>
internal sealed record DispatchData(Action<Utf8JsonWriter> Write, Action<Utf8JsonWriter> WriteCopy);

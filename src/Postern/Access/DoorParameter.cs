using System.Text.Json.Nodes;

namespace Postern.Access;

/// <summary>A parameter of a door besides the path and the body.</summary>
/// <param name="Name">Its name.</param>
/// <param name="In"><c>query</c> or <c>header</c>.</param>
/// <param name="Description">Its description.</param>
/// <param name="Schema">Its type and bounds.</param>
internal sealed record DoorParameter(string Name, string In, string Description, JsonObject Schema);

using Postern.Http;

namespace Postern.Access;

[Strict]
internal sealed record CreateProject([Text("The project's name.", 1, 128, Trims = true)] string Name);

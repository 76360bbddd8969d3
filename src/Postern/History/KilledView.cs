using Postern.Http;

namespace Postern.History;

internal sealed record KilledView([Member("True.")] bool Ok, [Member("Whether there was a live run.")] bool Killed);

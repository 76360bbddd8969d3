using Postern.Http;

namespace Postern.Access;

internal sealed record RevokedView([Member("True.")] bool Revoked);

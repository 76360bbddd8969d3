using Postern.Http;

namespace Postern.Triggers;

internal sealed record ChallengeView([Member("The challenge that was sent.")] string Challenge);

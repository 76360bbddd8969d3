using Postern.Http;

namespace Postern.Triggers;

internal sealed record CreatedTrigger(
    [Member("The trigger's id.")] string TriggerId,
    [Member("Whose it is: user/{id} or org/{id}.")] string Namespace,
    [Member("What was done, for people.")] string Message,
    [Member("The path of its public URL.")] string InboundUrl
);

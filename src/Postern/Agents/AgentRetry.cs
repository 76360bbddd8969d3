using Postern.Http;

namespace Postern.Agents;

[Strict]
internal sealed record AgentRetry([Whole("Tries of one dispatch at most.", 1, 10)] long? MaxTries);

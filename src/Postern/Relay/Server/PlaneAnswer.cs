using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>An answer as a plane sent it.</summary>
internal sealed record PlaneAnswer(AnswerHead Head, byte[] Body);

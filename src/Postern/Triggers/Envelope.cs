using Postern.Http;

namespace Postern.Triggers;

internal sealed record Envelope<T>([Member("True.")] bool Success, [Member("The answer.")] T Data);

namespace Postern.Hosting;

/// <summary>Something that a person has to put right before the server can start, in words for that person.</summary>
internal sealed class SetupException(string message) : Exception(message);

namespace Postern.Hosting;

/// <summary>
/// Thrown when a person must correct something before the server can start. Its message is for that person.
/// </summary>
internal sealed class SetupException(string message) : Exception(message);

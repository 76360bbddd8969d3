namespace Postern.Support;

/// <summary>A valid credential, with the way to end it.</summary>
/// <param name="Headers">How it is presented.</param>
internal sealed record Held((string Name, string Value)[] Headers, Func<Task> EndAsync)
{
    /// <summary>What a form of the console must contain; null for other credentials.</summary>
    public string? FormToken { get; init; }

    /// <summary>Returns the body of a request as this credential sends it.</summary>
    public byte[] BodyOf(DoorRequest request) =>
        FormToken is { } token && request.Body is string form
            ? System.Text.Encoding.UTF8.GetBytes($"_csrf={token}&_once={Guid.NewGuid():N}&{form}".TrimEnd('&'))
            : request.Bytes;
}

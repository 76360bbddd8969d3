using System.Text;
using System.Text.Json;

namespace Postern.Support;

/// <summary>A request that a door answers with success while whoever makes it may do so.</summary>
/// <param name="Scope">What a key or token needs for it; null where any will do.</param>
/// <param name="Body">A text, bytes, or what is sent as JSON; null when there is none.</param>
/// <param name="Success">The status that living authority gets.</param>
internal sealed record DoorRequest(
    string? Scope,
    string Path,
    object? Body = null,
    string Media = "application/json",
    int? Success = null,
    params (string Name, string Value)[] Headers
)
{
    /// <summary>What it is about ends by itself as time goes on: it is made anew where it must be there.</summary>
    public bool IsAboutWhatEnds { get; init; }

    /// <summary>
    /// The body with blanks behind it, so that there is a half to send. What is signed is sent as it is.
    /// </summary>
    public byte[] Bytes =>
        Body switch
        {
            null => [],
            byte[] bytes => bytes,
            string text => Encoding.UTF8.GetBytes(text + new string(' ', 100)),
            var json =>
            [
                .. JsonSerializer.SerializeToUtf8Bytes(json),
                .. Encoding.ASCII.GetBytes(new string(' ', 100)),
            ],
        };
}

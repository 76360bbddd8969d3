using System.Text;
using System.Text.Json;

namespace Postern.Support;

/// <summary>A request that a door answers with success while its caller may make it.</summary>
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
    /// <summary>Its target ends by itself as time passes, and is made anew when it is needed.</summary>
    public bool IsAboutWhatEnds { get; init; }

    /// <summary>
    /// The body with blanks behind it, so that half of it can be sent. A signed body is sent as it is.
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

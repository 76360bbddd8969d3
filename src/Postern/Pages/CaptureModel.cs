using Postern.Http;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>One captured request, with its outcome.</summary>
internal sealed record CaptureModel
{
    public required Capture Capture { get; init; }

    public required Trigger Trigger { get; init; }

    /// <summary>The path of the trigger's public URL, escaped.</summary>
    public required string Inbound { get; init; }

    /// <summary>Its body as its sender meant it; empty when there is none.</summary>
    public required string Body { get; init; }

    /// <summary>Whether the body is shown unchanged: its bytes are a text.</summary>
    public required bool BodyIsText { get; init; }

    /// <summary>The message made from it; null when there is none, or when the message is gone.</summary>
    public required string? Prompt { get; init; }

    /// <summary>Why it has not ended; null when it has ended.</summary>
    public required Why? Why { get; init; }

    /// <summary>Its headers by name, redacted.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }
}

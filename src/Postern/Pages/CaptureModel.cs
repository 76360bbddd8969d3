using Postern.Http;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>One captured request, and what became of it.</summary>
internal sealed record CaptureModel
{
    public required Capture Capture { get; init; }

    public required Trigger Trigger { get; init; }

    /// <summary>The path of the trigger's public URL, escaped.</summary>
    public required string Inbound { get; init; }

    /// <summary>Its body as its sender meant it; empty where there is none.</summary>
    public required string Body { get; init; }

    /// <summary>The body is what it was: bytes that are a text.</summary>
    public required bool BodyIsText { get; init; }

    /// <summary>The message that it became; null where it became none, or that is gone.</summary>
    public required string? Prompt { get; init; }

    /// <summary>Why it has not ended; null once it has.</summary>
    public required Why? Why { get; init; }

    /// <summary>Its headers by name, redacted.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }
}

using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Dispatch;

/// <summary>A checked request to start a run.</summary>
/// <param name="Asked">The request.</param>
/// <param name="IdempotencyKey">Of the body or of the header.</param>
/// <param name="CallbackSecret">The request's, or one that was made here; null without a callback.</param>
/// <param name="Digest">Of the whole request: by it a repeat is known.</param>
internal sealed record StartRun(CreateRun Asked, string? IdempotencyKey, string? CallbackSecret, byte[] Digest)
{
    /// <summary>JSON, as the text that came.</summary>
    public byte[]? Input => Asked.Input is { } given ? Encoding.UTF8.GetBytes(given.GetRawText()) : null;

    /// <summary>JSON, as the text that came.</summary>
    public string? Metadata => Asked.Metadata?.GetRawText();

    /// <summary>A list, JSON.</summary>
    public string Tags => Asked.Tags is { } tags ? JsonSerializer.Serialize(tags, Wire.Json) : "[]";

    /// <summary>The callback's secret when it was made here: shown once.</summary>
    public string? MadeSecret => Asked.Callback?.Secret is null ? CallbackSecret : null;
}

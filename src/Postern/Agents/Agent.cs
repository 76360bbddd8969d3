using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Agents;

/// <summary>
/// A worker that does the thinking: <c>http</c> (this server calls it), <c>pull</c> (it claims its work), <c>echo</c>
/// (built in). Its signing secret is sealed under the master key, bound to this row.
/// </summary>
internal sealed record Agent
{
    [Column("project")]
    public required string Project { get; init; }

    [Column("slug")]
    public required string Slug { get; init; }

    [Column("kind")]
    public required string Kind { get; init; }

    [Column("url")]
    public string? Url { get; init; }

    [Column("sealed_secret")]
    public byte[]? SealedSecret { get; init; }

    public required AgentSettings Settings { get; init; }

    [Column("settings")]
    public string SettingsJson
    {
        get => JsonSerializer.Serialize(Settings, Wire.Json);
        init => Settings = JsonSerializer.Deserialize<AgentSettings>(value, Wire.Json) ?? new AgentSettings();
    }

    [Column("created_at")]
    public required long CreatedAt { get; init; }

    [Column("updated_at")]
    public required long UpdatedAt { get; init; }

    public const string Http = "http";
    public const string Pull = "pull";
    public const string Echo = "echo";

    /// <summary>The agent's name in deliveries.</summary>
    public static string EndpointKey(string slug) => "agent:" + slug;

    public static string SealPurpose(string project, string slug) => $"agent:{project}:{slug}";
}

namespace Postern.Agents;

/// <summary>
/// A worker that does the thinking: <c>http</c> (this server calls it), <c>pull</c> (it claims its work), <c>echo</c>
/// (built in). Its signing secret is sealed under the master key, bound to this row.
/// </summary>
internal sealed record Agent(
    string Project,
    string Slug,
    string Kind,
    string? Url,
    byte[]? SealedSecret,
    AgentSettings Settings,
    long CreatedAt,
    long UpdatedAt
)
{
    public const string Http = "http";
    public const string Pull = "pull";
    public const string Echo = "echo";

    /// <summary>How deliveries name it.</summary>
    public static string EndpointKey(string slug) => "agent:" + slug;

    public static string SealPurpose(string project, string slug) => $"agent:{project}:{slug}";
}

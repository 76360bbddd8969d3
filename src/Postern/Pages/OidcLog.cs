namespace Postern.Pages;

/// <summary>Log lines about the identity provider. They never contain its answers.</summary>
internal static partial class OidcLog
{
    [LoggerMessage(LogLevel.Warning, "The identity provider cannot be used: {Why}")]
    public static partial void Away(ILogger log, string why);

    [LoggerMessage(LogLevel.Warning, "A sign-in by the identity provider failed: {Why}")]
    public static partial void Failed(ILogger log, string why);
}

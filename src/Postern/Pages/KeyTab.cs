namespace Postern.Pages;

/// <summary>The tabs of the page of keys, with their content.</summary>
internal static class KeyTab
{
    public const string Keys = "keys";
    public const string Secrets = "secrets";
    public const string Services = "services";
    public const string Sessions = "sessions";
    public const string Tokens = "tokens";

    public static readonly string[] All = [Keys, Secrets, Services, Sessions, Tokens];

    /// <summary>Returns the address of a tab.</summary>
    public static string Of(PageContext context, string tab) => context.Of("/keys?tab=" + tab);
}

using System.Reflection;

namespace Postern.Settings;

/// <summary>Where this server is reached: <c>Postern:PublicUrl</c>, or the address it listens on, known once it does.</summary>
internal sealed class ServerAddress(PosternOptions options)
{
    private string _listening = "http://127.0.0.1";

    public string Url => options.PublicUrl.Length > 0 ? options.PublicUrl : _listening;

    public void ListensOn(string url) => _listening = url.Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal).Replace("[::]", "127.0.0.1", StringComparison.Ordinal).TrimEnd('/');
}

internal static class ProductVersion
{
    public static string Text { get; } = typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
}

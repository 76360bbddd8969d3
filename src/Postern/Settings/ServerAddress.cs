namespace Postern.Settings;

/// <summary>
/// Where this server is reached: <c>Postern:PublicUrl</c>, or the address it listens on, known once it does.
/// </summary>
internal sealed class ServerAddress(PosternOptions options)
{
    private string _listening = "http://127.0.0.1";
    private bool _listens = true;
    private volatile string? _relayed;

    /// <summary>Where it listens itself, behind whatever stands in front of it.</summary>
    public string Own => _listening;

    public string Url =>
        options.PublicUrl.Length > 0 ? options.PublicUrl
        : _listens ? _listening
        : _relayed ?? _listening;

    /// <summary>The path under which a proxy serves it, such as <c>/postern</c>; empty when there is none.</summary>
    public string Path { get; } =
        options.PublicUrl.Length > 0 ? new Uri(options.PublicUrl).AbsolutePath.TrimEnd('/') : "";

    /// <summary>
    /// Links name an address that nobody else reaches: the server listens on every address, and was not told under
    /// which one it is known.
    /// </summary>
    /// <param name="urls">What it listens on.</param>
    public bool NamesItselfAlone(IEnumerable<string> urls) => options.PublicUrl.Length == 0 && urls.Any(IsEveryAddress);

    private static bool IsEveryAddress(string url) =>
        BindingAddress.Parse(url).Host is "0.0.0.0" or "[::]" or "*" or "+";

    /// <summary>It listens nowhere: it is reached where a relay that it has joined opens its doors.</summary>
    public void ListensNowhere() => _listens = false;

    /// <summary>Returns where a relay opens this server's doors.</summary>
    public void IsRelayedAt(string? url) => _relayed = url;

    public void ListensOn(string url) =>
        _listening = IsEveryAddress(url)
            ? $"{BindingAddress.Parse(url).Scheme}://127.0.0.1:{BindingAddress.Parse(url).Port}"
            : url.TrimEnd('/');
}

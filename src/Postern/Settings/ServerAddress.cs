namespace Postern.Settings;

/// <summary>
/// The address of this server: <c>Postern:PublicUrl</c>, or the address on which it listens, which is known once it
/// listens.
/// </summary>
internal sealed class ServerAddress(PosternOptions options)
{
    private string _listening = "http://127.0.0.1";
    private bool _listens = true;
    private volatile string? _relayed;

    /// <summary>The address on which it listens itself, behind any proxy.</summary>
    public string Own => _listening;

    public string Url =>
        options.PublicUrl.Length > 0 ? options.PublicUrl
        : _listens ? _listening
        : _relayed ?? _listening;

    /// <summary>The path under which a proxy serves it, such as <c>/postern</c>; empty when there is none.</summary>
    public string Path { get; } =
        options.PublicUrl.Length > 0 ? new Uri(options.PublicUrl).AbsolutePath.TrimEnd('/') : "";

    /// <summary>
    /// Whether links contain an address that nobody else can reach: the server listens on every address and has no
    /// configured one.
    /// </summary>
    /// <param name="urls">What it listens on.</param>
    public bool NamesItselfAlone(IEnumerable<string> urls) => options.PublicUrl.Length == 0 && urls.Any(IsEveryAddress);

    private static bool IsEveryAddress(string url) =>
        BindingAddress.Parse(url).Host is "0.0.0.0" or "[::]" or "*" or "+";

    /// <summary>Whether it listens nowhere: it is reached where a joined relay opens its doors.</summary>
    public void ListensNowhere() => _listens = false;

    /// <summary>Returns where a relay opens this server's doors.</summary>
    public void IsRelayedAt(string? url) => _relayed = url;

    public void ListensOn(string url) =>
        _listening = IsEveryAddress(url)
            ? $"{BindingAddress.Parse(url).Scheme}://127.0.0.1:{BindingAddress.Parse(url).Port}"
            : url.TrimEnd('/');
}

using Postern.Relay.Protocol;

namespace Postern.Hosting;

/// <summary>
/// The command <c>postern relay page DIR</c>: writes the page on which people answer, as files for any web server.
/// </summary>
internal static class ApproveFiles
{
    /// <exception cref="SetupException">It is not said which relay the page is for.</exception>
    public static void Write(string folder, string relay)
    {
        if (
            !Uri.TryCreate(relay, UriKind.Absolute, out var url)
            || url.Scheme is not ("https" or "http")
            || url.Query.Length + url.Fragment.Length + url.UserInfo.Length > 0
            || relay.AsSpan().ContainsAny('"', '<', '>')
        )
            throw new SetupException(
                "Say which relay the page is for: --at https://relay.example.com, or set Postern:PublicUrl."
            );
        Directory.CreateDirectory(folder);
        foreach (
            var (name, bytes) in new[]
            {
                (ApprovePage.HtmlName, ApprovePage.Html(relay.TrimEnd('/'))),
                (ApprovePage.ScriptName, ApprovePage.Script),
                (ApprovePage.StyleName, ApprovePage.Style),
            }
        )
        {
            var path = Path.Combine(folder, name);
            File.WriteAllBytes(path, bytes);
            Terminal.WriteLine($"{ApprovePage.IntegrityOf(bytes)}  {path}");
        }
        Terminal.WriteLine(
            $"""

            Serve these files over https. Then, at the servers that have joined {relay.TrimEnd('/')}:

              Postern:Relay:PageUrl = https://…/{ApprovePage.HtmlName}

            The policy in the page allows the script of this digest alone. Let the web server send
            Content-Security-Policy: frame-ancestors 'none' too, which no file can say.
            """
        );
    }
}

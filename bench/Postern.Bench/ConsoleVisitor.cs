using System.Net;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;

namespace Postern.Bench;

/// <summary>Somebody who is signed in to the console, without a browser.</summary>
internal sealed partial class ConsoleVisitor
{
    private readonly HttpClient _http;
    private readonly string _cookie;

    private ConsoleVisitor(HttpClient http, string cookie) => (_http, _cookie) = (http, cookie);

    public static async Task<ConsoleVisitor> SignInAsync(string url, string key)
    {
        var http = new HttpClient(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,
                MaxConnectionsPerServer = 100,
            }
        )
        {
            BaseAddress = new Uri(url),
        };
        using var form = new FormUrlEncodedContent([new("key", key)]);
        using var answer = await http.PostAsync("/console/sign-in", form);
        if (answer.StatusCode != HttpStatusCode.SeeOther)
            throw new InvalidOperationException($"signing in is answered with {(int)answer.StatusCode}");
        return new ConsoleVisitor(http, answer.Headers.GetValues("Set-Cookie").First().Split(';')[0]);
    }

    /// <summary>Reads a page to its end; how many bytes it has.</summary>
    public async Task<int> GetAsync(string path)
    {
        using var answer = await SendAsync(path, HttpCompletionOption.ResponseContentRead);
        return (await answer.Content.ReadAsByteArrayAsync()).Length;
    }

    /// <summary>
    /// What a browser fetches that has never been here: the page, and the files that it and its modules name, as they
    /// come compressed.
    /// </summary>
    public async Task<(long Bytes, int Requests)> FirstViewAsync(string path)
    {
        using var page = await SendAsync(path, HttpCompletionOption.ResponseContentRead);
        var html = await page.Content.ReadAsStringAsync();
        using var packed = await SendAsync(path, HttpCompletionOption.ResponseContentRead, "br");
        var bytes = (long)(await packed.Content.ReadAsByteArrayAsync()).Length;
        var files = new Queue<string>(Files().Matches(html).Select(m => m.Groups[1].Value).Distinct());
        var seen = new HashSet<string>(files, StringComparer.Ordinal);
        while (files.TryDequeue(out var file))
        {
            using var compressed = await SendAsync(file, HttpCompletionOption.ResponseContentRead, "br");
            bytes += (await compressed.Content.ReadAsByteArrayAsync()).Length;
            if (!file.EndsWith(".js", StringComparison.Ordinal))
                continue;
            using var plain = await SendAsync(file, HttpCompletionOption.ResponseContentRead);
            var folder = file[..(file.LastIndexOf('/') + 1)];
            foreach (Match named in Imports().Matches(await plain.Content.ReadAsStringAsync()))
                if (seen.Add(folder + named.Groups[1].Value))
                    files.Enqueue(folder + named.Groups[1].Value);
        }
        return (bytes, seen.Count + 1);
    }

    /// <summary>Opens the stream of a page.</summary>
    public async Task<ConsoleStream> OpenAsync(string path)
    {
        var answer = await SendAsync(path, HttpCompletionOption.ResponseHeadersRead);
        return new ConsoleStream(answer, await answer.Content.ReadAsStreamAsync());
    }

    private async Task<HttpResponseMessage> SendAsync(
        string path,
        HttpCompletionOption completion,
        string? encoding = null
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("Cookie", _cookie);
        if (encoding is not null)
            request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue(encoding));
        var answer = await _http.SendAsync(request, completion);
        if (answer.StatusCode != HttpStatusCode.OK)
            throw new InvalidOperationException($"{path} is answered with {(int)answer.StatusCode}");
        return answer;
    }

    [GeneratedRegex("(?:href|src)=\"([^\"#]*/console/assets/[^\"#]+)")]
    private static partial Regex Files();

    [GeneratedRegex("(?:import|from) '\\./([a-z-]+\\.js)'")]
    private static partial Regex Imports();
}

using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Postern.Support;

namespace Postern.Chaos;

/// <summary>
/// Calls the server through the proxies of the nodes: any node, and another one when it does not answer. It writes to
/// the ledger every answer that no caller should get.
/// </summary>
internal sealed class Caller(Cluster cluster, Ledger ledger, CancellationToken stop) : IDisposable
{
    private readonly HttpClient[] _nodes = [.. cluster.Nodes.Select(n => Client(n.FrontUrl))];

    public CancellationToken Stop => stop;

    /// <summary>Sends once, to one node.</summary>
    public async Task<Answer> TryAsync(
        int node,
        HttpMethod method,
        string path,
        object? body,
        string? key,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(method, path) { Content = ContentOf(body) };
        if (key is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        try
        {
            using var response = await _nodes[node % _nodes.Length].SendAsync(request, stop);
            var answer = new Answer((int)response.StatusCode, await response.Content.ReadAsStringAsync(stop));
            if (answer.Status >= 500)
                Told(method, path, answer);
            return answer;
        }
        catch (Exception fault) when (IsOfTheWay(fault))
        {
            stop.ThrowIfCancellationRequested();
            return Answer.None;
        }
    }

    /// <summary>Repeats a request at any node until an answer is something other than "not now".</summary>
    public async Task<Answer> InsistAsync(
        Random random,
        HttpMethod method,
        string path,
        object? body,
        string? key,
        params (string Name, string Value)[] headers
    )
    {
        while (true)
        {
            var answer = await TryAsync(random.Next(_nodes.Length), method, path, body, key, headers);
            if (answer.Status is not (0 or 429 or 503))
                return answer;
            await Task.Delay(30 + random.Next(100), stop);
        }
    }

    /// <summary>Reports an unexpected answer to the auditor.</summary>
    public void Surprise(string door, Answer answer) =>
        ledger.Write(
            "surprise",
            new
            {
                door,
                status = answer.Status,
                body = Cut(answer.Text),
            }
        );

    /// <summary>Opens a stream of server-sent events; returns null when that is not possible now.</summary>
    public async Task<EventReader?> StreamAsync(int node, string path, string key, string? after)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (after is not null)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", after);
        try
        {
            var response = await _nodes[node % _nodes.Length]
                .SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
            if (response.IsSuccessStatusCode)
                return new(response, await response.Content.ReadAsStreamAsync(stop));
            if ((int)response.StatusCode >= 500)
                Told(HttpMethod.Get, path, new((int)response.StatusCode, ""));
            response.Dispose();
            return null;
        }
        catch (Exception fault) when (IsOfTheWay(fault))
        {
            stop.ThrowIfCancellationRequested();
            return null;
        }
    }

    /// <summary>Returns whether a fault is one of the connection, or a timeout.</summary>
    public static bool IsOfTheWay(Exception fault) =>
        fault
            is HttpRequestException
                or IOException
                or OperationCanceledException
                or System.Net.Sockets.SocketException
                or ObjectDisposedException;

    public void Dispose()
    {
        foreach (var node in _nodes)
            node.Dispose();
    }

    private void Told(HttpMethod method, string path, Answer answer)
    {
        if (answer.Status != 503)
            ledger.Write(
                "server_error",
                new
                {
                    method = method.Method,
                    path,
                    status = answer.Status,
                    body = Cut(answer.Text),
                }
            );
    }

    private static string Cut(string text) => text.Length <= 600 ? text : text[..600];

    private static HttpContent? ContentOf(object? body) =>
        body switch
        {
            null => null,
            HttpContent content => content,
            byte[] bytes => new ByteArrayContent(bytes),
            string text => new StringContent(text, Encoding.UTF8, "application/json"),
            _ => new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json"),
        };

    private static HttpClient Client(string url) =>
        new(
            new SocketsHttpHandler
            {
                ConnectTimeout = TimeSpan.FromSeconds(3),
                PooledConnectionLifetime = TimeSpan.FromSeconds(30),
                AllowAutoRedirect = false,
            }
        )
        {
            BaseAddress = new Uri(url),
            Timeout = TimeSpan.FromSeconds(12),
        };
}

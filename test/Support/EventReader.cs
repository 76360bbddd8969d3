using System.Text.Json;

namespace Postern.Support;

/// <summary>
/// Reads a stream of server-sent events as it comes. Every wait has a limit: a silent stream fails its test.
/// </summary>
internal sealed class EventReader(HttpResponseMessage response, Stream body) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly StreamReader _reader = new(body);

    public HttpResponseMessage Response => response;

    public int Status => (int)response.StatusCode;

    /// <summary>
    /// Returns the next event other than heartbeats and retry hints, or null when the stream has ended.
    /// </summary>
    public async Task<ServerEvent?> NextAsync(TimeSpan? patience = null)
    {
        while (await ReadAsync(patience ?? Patience) is { } read)
            if (read.Name is not ("ping" or "comment" or "retry"))
                return read;
        return null;
    }

    /// <summary>Returns the next event of any kind, or null when the stream has ended.</summary>
    public async Task<ServerEvent?> ReadAsync(TimeSpan patience)
    {
        using var limit = new CancellationTokenSource(patience);
        string? name = null,
            id = null,
            data = null;
        while (true)
        {
            var line = await _reader.ReadLineAsync(limit.Token);
            if (line is null)
                return null;
            if (line.Length == 0)
            {
                if (name is null && data is null)
                    continue;
                return new ServerEvent(name ?? "message", id, data ?? "");
            }
            if (line[0] == ':')
                name = "comment";
            else if (line.StartsWith("retry:", StringComparison.Ordinal))
                name = "retry";
            else if (line.StartsWith("event: ", StringComparison.Ordinal))
                name = line[7..];
            else if (line.StartsWith("id: ", StringComparison.Ordinal))
                id = line[4..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
                data = data is null ? line[6..] : data + "\n" + line[6..];
        }
    }

    /// <summary>Returns the records of a channel's stream, up to its end or a number.</summary>
    public async Task<List<JsonElement>> RecordsAsync(Func<List<JsonElement>, bool>? enough = null)
    {
        var records = new List<JsonElement>();
        while (await NextAsync() is { } read)
        {
            if (read.Name == "batch")
                records.AddRange(read.Json.GetProperty("records").EnumerateArray());
            if (enough?.Invoke(records) == true)
                break;
        }
        return records;
    }

    public static bool IsTurnComplete(JsonElement record) =>
        record.TryGetProperty("headers", out var headers)
        && headers
            .EnumerateArray()
            .Any(h => h[0].GetString() == "trigger-control" && h[1].GetString() == "turn-complete");

    public ValueTask DisposeAsync()
    {
        _reader.Dispose();
        response.Dispose();
        return default;
    }
}

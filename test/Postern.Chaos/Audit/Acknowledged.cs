using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace Postern.Chaos.Audit;

/// <summary>Checks each acknowledged request through the public API.</summary>
internal sealed class Acknowledged(Book book, string url, string key) : IDisposable
{
    private readonly HttpClient _http = ClientOf(url, key);

    public Invariant Lost { get; } = new("what was acknowledged is there");
    public Invariant Twice { get; } =
        new("what was acknowledged is there once, and a repeat was told the first outcome");
    public Invariant Streams { get; } = new("streams have no gap and no repeat, and are complete");

    public async Task PollAsync()
    {
        await RecordsAsync();
        await RunsAsync();
        await CapturesAsync();
        await DecisionsAsync();
        await MessagesAsync();
    }

    public void Dispose() => _http.Dispose();

    private async Task RecordsAsync()
    {
        var appended = book.Of("append")
            .Concat(book.Of("turn"))
            .ToLookup(e => (Session: e.Text("session"), Channel: e.Text("channel") is { Length: > 0 } c ? c : "in"));
        foreach (var of in appended)
        {
            var there = await ReadAllAsync(of.Key.Session, of.Key.Channel);
            var where = $"{of.Key.Session}/{of.Key.Channel}";
            Streams.Look(
                there
                    .Select(r => r.Number("seqNum"))
                    .SequenceEqual(Enumerable.Range(0, there.Count).Select(i => (long)i)),
                () => where + " is not dense"
            );
            var byPart = there.Where(r => r.Text("id").Length > 0).ToLookup(r => r.Text("id"));
            foreach (var one in of)
            {
                var found = byPart[one.Text("part")].ToList();
                Lost.Look(
                    found.Count > 0,
                    () => $"{where} part {one.Text("part")}, acknowledged at {one.Number("at")} ms"
                );
                Twice.Look(found.Count <= 1, () => $"{where} part {one.Text("part")} is there {found.Count} times");
                if (found.Count != 1)
                    continue;
                if (one.Number("seq") >= 0)
                    Twice.Look(
                        found[0].Number("seqNum") == one.Number("seq"),
                        () =>
                            $"{where} part {one.Text("part")} was said to be {one.Number("seq")} and is "
                            + $"{found[0].Number("seqNum")}"
                    );
                if (one.Text("kind") == "append")
                    Lost.Look(
                        found[0].Text("data") == one.Text("body"),
                        () => $"{where} part {one.Text("part")} has another body"
                    );
            }
        }
        FollowedStreams();
    }

    /// <summary>
    /// Each follower saw each number once and in order, whatever broke in between. A follower that came to the end saw
    /// all.
    /// </summary>
    private void FollowedStreams()
    {
        var next = new Dictionary<string, long>();
        foreach (var seen in book.Of("seen"))
        {
            var stream = seen.Text("stream");
            foreach (var seq in seen.GetProperty("seqs").EnumerateArray())
            {
                var wanted = next.GetValueOrDefault(stream);
                Streams.Look(
                    seq.GetInt64() == wanted,
                    () =>
                        $"{stream} of {seen.Text("session")} was sent {seq.GetInt64()} and not {wanted} at "
                        + $"{seen.Number("at")} ms"
                );
                next[stream] = seq.GetInt64() + 1;
            }
        }
    }

    private async Task RunsAsync()
    {
        foreach (var of in book.Of("run").GroupBy(e => e.Text("key")))
        {
            var ids = of.Select(e => e.Text("run")).Distinct().ToList();
            Twice.Look(ids.Count == 1, () => $"the run {of.Key} is there as {string.Join(", ", ids)}");
            var run = await GetAsync("/api/v1/runs/" + ids[0]);
            Lost.Look(run is not null, () => $"the run {ids[0]} of {of.Key}");
        }
        foreach (var of in book.Of("report").GroupBy(e => e.Text("run")))
        {
            var timeline = await TimelineAsync(of.Key);
            foreach (var id in of.Select(e => e.Text("eventId")).Distinct())
            {
                var applied = timeline.Count(e =>
                    e.Text("eventId") == id && e.Text("outcome") is "accepted" or "" or "applied"
                );
                var times = timeline.Count(e => e.Text("eventId") == id && e.Text("outcome") != "refused");
                Lost.Look(applied > 0 || times > 0, () => $"the report {id} of {of.Key}");
                Twice.Look(times <= 1, () => $"the report {id} of {of.Key} was applied {times} times");
            }
        }
        foreach (var one in book.Of("cancelled"))
        {
            var run = await GetAsync("/api/v1/runs/" + one.Text("run"));
            Lost.Look(
                run?.Text("phase") == "cancelled",
                () => $"{one.Text("run")} was cancelled and is {run?.Text("phase")}"
            );
        }
    }

    private async Task CapturesAsync()
    {
        foreach (var of in book.Of("capture").GroupBy(e => (Trigger: e.Text("trigger"), Delivery: e.Text("delivery"))))
        {
            // A delivery with a refused dispatch has started nothing. It may be sent again, and then starts once.
            var started = new List<string>();
            foreach (var id in of.Select(e => e.Text("request")).Distinct())
            {
                var answer = await GetAsync($"/api/triggers/user/chaos/{of.Key.Trigger}/requests/{id}");
                Lost.Look(answer is not null, () => $"the capture {id} of {of.Key.Trigger}");
                if (answer?.GetProperty("data") is not { } capture || !IsRefused(capture))
                    started.Add(id);
            }
            Twice.Look(
                started.Count <= 1,
                () => $"the webhook {of.Key.Delivery} of {of.Key.Trigger} was captured as {string.Join(", ", started)}"
            );
        }

        static bool IsRefused(JsonElement capture) =>
            capture.Text("processStatus") == "failed" && capture.Text("reason") == "dispatch_failed";
    }

    private async Task DecisionsAsync()
    {
        foreach (var of in book.Of("decided").GroupBy(e => e.Text("approval")))
        {
            var said = of.Select(e => e.Text("decision")).Distinct().ToList();
            Twice.Look(said.Count == 1, () => $"{of.Key} was acknowledged as {string.Join(" and ", said)}");
            var there = await GetAsync("/api/v1/approvals/" + of.Key);
            Lost.Look(
                there?.Text("status") == said[0],
                () => $"{of.Key} was decided {said[0]} and is {there?.Text("status")}"
            );
        }
        foreach (var one in book.Of("asked").Where(a => a.GetProperty("expires").GetBoolean()))
        {
            var there = await GetAsync("/api/v1/approvals/" + one.Text("approval"));
            Lost.Look(
                there?.Text("status") is "expired" or "cancelled",
                () => $"{one.Text("approval")} should have expired and is {there?.Text("status")}"
            );
        }
        // These had an hour, so only the run's own end or a person may have ended them.
        foreach (var one in book.Of("asked").Where(a => !a.GetProperty("expires").GetBoolean()))
        {
            var there = await GetAsync("/api/v1/approvals/" + one.Text("approval"));
            Lost.Look(
                there is not null && there.Value.Text("status") != "expired",
                () => $"{one.Text("approval")} had an hour and is {there?.Text("status")}"
            );
        }
    }

    private async Task MessagesAsync()
    {
        foreach (var of in book.Of("message").GroupBy(e => e.Text("session")))
        {
            var texts = new List<string>();
            var page = await GetAsync(
                $"/sessions/{Uri.EscapeDataString("agent:echo:" + of.Key)}/history?full=1&limit=200"
            );
            for (; page is not null; )
            {
                foreach (var message in page.Value.GetProperty("messages").EnumerateArray())
                    texts.AddRange(message.GetProperty("content").EnumerateArray().Select(b => b.Text("text")));
                var cursor =
                    page.Value.TryGetProperty("nextCursor", out var c) && c.ValueKind == JsonValueKind.String
                        ? c.GetString()
                        : null;
                if (cursor is null)
                    break;
                page = await GetAsync(
                    $"/sessions/{Uri.EscapeDataString("agent:echo:" + of.Key)}/history?full=1&limit=200"
                        + $"&cursor={Uri.EscapeDataString(cursor)}"
                );
            }
            foreach (var same in of.GroupBy(e => e.Text("content")))
                Lost.Look(
                    texts.Count(t => t == same.Key) >= same.Select(e => e.Text("part")).Distinct().Count(),
                    () => $"a message of {of.Key}: {same.First().Text("part")}"
                );
        }
    }

    private async Task<List<JsonElement>> ReadAllAsync(string session, string channel)
    {
        var all = new List<JsonElement>();
        while (true)
        {
            var page = await GetAsync(
                $"/realtime/v1/sessions/{session}/{channel}/records?afterEventId={all.Count - 1}"
            );
            var records = page?.GetProperty("records").EnumerateArray().ToList() ?? [];
            if (records.Count == 0)
                return all;
            all.AddRange(records);
        }
    }

    private async Task<List<JsonElement>> TimelineAsync(string run)
    {
        var all = new List<JsonElement>();
        string? cursor = null;
        do
        {
            var page = await GetAsync(
                $"/api/v1/runs/{run}/events"
                    + $"?limit=500{(cursor is null ? "" : "&cursor=" + Uri.EscapeDataString(cursor))}"
            );
            if (page is null)
                return all;
            all.AddRange(page.Value.GetProperty("data").EnumerateArray());
            cursor =
                page.Value.TryGetProperty("nextCursor", out var c) && c.ValueKind == JsonValueKind.String
                    ? c.GetString()
                    : null;
        } while (cursor is not null);
        return all;
    }

    private async Task<JsonElement?> GetAsync(string path)
    {
        using var answer = await _http.GetAsync(path);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync<JsonElement>() : null;
    }

    private static HttpClient ClientOf(string url, string key)
    {
        var client = new HttpClient { BaseAddress = new Uri(url), Timeout = TimeSpan.FromSeconds(60) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }
}

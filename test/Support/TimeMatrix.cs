using System.Diagnostics;
using Postern.Access;

namespace Postern.Support;

/// <summary>
/// The matrix in time: a door, a way in which the authority of its caller ends, and every moment at which that can
/// happen: before the request, after its headers, in the middle of its body, while it waits, while it streams. Each
/// such request is refused within a second, and nothing is written. Then the same request with living authority
/// succeeds, which proves that the refusal was about the authority. The row of the door table shows which moments a
/// door has: whether it takes a body, can be asked to wait, or can be followed.
/// </summary>
internal sealed class TimeMatrix(TimeWorld world, Door door)
{
    /// <summary>The contract's limit, plus time for a busy machine.</summary>
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(1.5);

    /// <summary>How long a late worker is still told the outcome of its run.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(61);

    /// <summary>The doors of the console, or all others.</summary>
    public static TheoryData<string, string> Rows(bool console)
    {
        var rows = new TheoryData<string, string>();
        foreach (var line in File.ReadAllLines(Repository.File("doors.txt")))
            if (
                line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var method, var path, not "Anyone", ..]
                && path.StartsWith("/console", StringComparison.Ordinal) == console
            )
                rows.Add(method, path);
        return rows;
    }

    private bool ReadsBody => door.Request is not null;

    private bool Waits =>
        door.Parameters.Any(p => p.Name == "wait") || door.Request?.GetProperty("WaitSeconds") is not null;

    private bool Streams => door.Method == "GET" && door.Parameters.Any(p => p.Name == "Last-Event-ID");

    private string Method => door.Method == Door.AnyMethod ? "POST" : door.Method;

    /// <summary>Tries a door in these ways, and once with living authority for each kind of credential.</summary>
    public async Task TryAsync(IEnumerable<Ending> endings)
    {
        foreach (var kind in endings.GroupBy(e => e.Kind))
        {
            var scene = new TimeScene(world);
            var request = await DoorRequests.OfAsync(door, scene);
            foreach (var ending in kind.Where(e => !e.Takes || request.Scope is not null))
            {
                if (ending.EndsTheTarget)
                    (scene, request) = await AnewAsync(scene, lease: 60);
                await TryAsync(ending, scene, request);
            }
            if (kind.First().EndsTheTarget || request.IsAboutWhatEnds)
                (scene, request) = await AnewAsync(scene, lease: 3600);
            await SucceedsAsync(kind.First(), scene, request);
            await scene.ClearAsync();
        }
    }

    private async Task<(TimeScene Scene, DoorRequest Request)> AnewAsync(TimeScene old, int lease)
    {
        await old.ClearAsync();
        var scene = new TimeScene(world) { Lease = lease };
        return (scene, await DoorRequests.OfAsync(door, scene));
    }

    private async Task TryAsync(Ending ending, TimeScene scene, DoorRequest request)
    {
        var held = await ending.ExtendTurnAsync(scene, request);
        await using var moments = new Moments();
        if (ReadsBody)
        {
            moments.Halves.Add(("after its headers", await BeginAsync(ending, request, held)));
            moments.Halves.Add(("in its body", await BeginAsync(ending, request, held)));
            await moments.Halves[^1].Request.SendHalfAsync();
        }
        // A run that waits for a person is not handed over, so its worker's wait ends with the answer.
        var hasEnded = ending.Name == Ending.Superseded && scene.HasAsked;
        if (Waits && !hasEnded)
            moments.Waiting = await WaitAsync(request, held);
        if (Streams)
            moments.Streaming = await StreamAsync(request, held);

        await held.EndAsync();
        var ended = Stopwatch.StartNew();
        var mark = await world.MarkAsync();

        if (moments.Streaming is { } stream)
            await StreamEndsAsync(ending, stream, ended);
        if (moments.Waiting is { } wait)
        {
            var answer = await wait.WaitAsync(TimeSpan.FromSeconds(20));
            var (took, last) = (
                ended.Elapsed,
                ending.Kind == Credentials.RunToken && door.Late == LateWorker.ToldTheEnd
            );
            Assert.True(took < Within, $"{Words(ending)}, while it waits: {took.TotalMilliseconds:F0} ms");
            Refused(ending, "while it waits", answer.Status, answer.ToString(), told: last);
        }
        foreach (var (moment, half) in moments.Halves)
        {
            var (status, text) = await half.EndAsync();
            Refused(ending, moment, status, text);
        }
        await RefusedBeforeAsync(ending, request, held, "before the request");
        var (written, rows) = await world.WrittenSinceAsync(mark);
        Assert.True(
            (written.Count == 0 && rows == 0) || (IsNoted(ending) && written.All(IsNote)),
            $"{Words(ending)} wrote {rows} rows:\n{string.Join('\n', written)}"
        );

        if (ending.Kind != Credentials.RunToken || ending.Name == "revoked")
            return;
        world.Server.Clock.Advance(Grace);
        var late = await SendAsync(request, held);
        Assert.True(late == 401, $"{Words(ending)}, a minute later: {late}");
    }

    private async Task<SlowRequest> BeginAsync(Ending ending, DoorRequest request, Held held)
    {
        var (half, status) = await SlowRequest.TryAsync(
            world.Server.Url,
            Method,
            request.Path,
            held.BodyOf(request),
            [("Content-Type", request.Media), .. held.Headers]
        );
        return half
            ?? throw new InvalidOperationException(
                $"{Words(ending)}: answered {status} before its body, and nothing has ended yet"
            );
    }

    private async Task<Task<Answer>> WaitAsync(DoorRequest request, Held held)
    {
        // What was held for an earlier way is released before this one is counted.
        await WaitFor.TrueAsync(() => Task.FromResult(world.Server.HeldRequests == 0));
        var waiting = ReadsBody
            ? world.Server.SendAsync(new HttpMethod(Method), request.Path, null, new { waitSeconds = 30 }, held.Headers)
            : world.Server.SendAsync(new HttpMethod(Method), request.Path + "?wait=30", null, null, held.Headers);
        await WaitFor.TrueAsync(() => Task.FromResult(world.Server.HeldRequests > 0 || waiting.IsCompleted));
        Assert.False(waiting.IsCompleted, $"{door.Method} {door.Path} did not wait");
        return waiting;
    }

    private async Task<EventReader> StreamAsync(DoorRequest request, Held held)
    {
        var stream = await world.Server.StreamAsync(request.Path, "", held.Headers);
        Assert.Equal(200, stream.Status);
        return stream;
    }

    private async Task StreamEndsAsync(Ending ending, EventReader stream, Stopwatch ended)
    {
        ServerEvent? last = null;
        while (await stream.NextAsync() is { } next)
            last = next;
        Assert.True(ended.Elapsed < Within, $"{Words(ending)}, while it streams: {ended.ElapsedMilliseconds} ms");
        var reason =
            ending.Name.Contains("expired", StringComparison.Ordinal) ? StreamEnd.Expired
            : ending.Takes ? StreamEnd.Forbidden
            : StreamEnd.Revoked;
        Assert.True(
            last is { Name: "error" or "end" } && last.Data.Contains(reason, StringComparison.Ordinal),
            $"{Words(ending)}, while it streams: {last}"
        );
    }

    private async Task RefusedBeforeAsync(Ending ending, DoorRequest request, Held held, string moment) =>
        Refused(
            ending,
            moment,
            await SendAsync(request, held),
            "",
            told: ending.Kind == Credentials.RunToken && door.Late == LateWorker.ToldTheEnd
        );

    /// <summary>
    /// A caller that has lost a right is told so, or gets 404. A late worker at a route for reports gets its run's
    /// outcome. A second answer to a settled question is told that it is settled. Everybody else gets the same answer
    /// as without a credential.
    /// </summary>
    private void Refused(Ending ending, string moment, int status, string text, bool told = false)
    {
        var fits = ending.Kind switch
        {
            Credentials.RunToken when IsReport(ending) => status is 401 or 403 or 404 or 409,
            Credentials.RunToken when told && ending.Name != Ending.Superseded && ending.Name != "revoked" => status
                is 200
                    or 401,
            Credentials.CallbackToken => status is 401 or 404 or 409
                || (status == 200 && ending.Name != Ending.Superseded),
            // A message that is sent again long after it was signed is stale as well.
            Credentials.CallbackSignature when ending.Name != Ending.SecretDeleted => status is 401 or 404 or 409
                || (status == 200 && ending.Name != Ending.Superseded),
            Credentials.Link => status is 409 or 410,
            _ when ending.Takes => status is 403 or 404,
            _ => status == 401,
        };
        Assert.True(fits, $"{Words(ending)}, {moment}: {status} {text}");
    }

    /// <summary>A report of a worker about its run: refused, and recorded as refused in the run's timeline.</summary>
    private bool IsReport(Ending ending) =>
        ending.Kind == Credentials.CallbackToken
        || (ending.Kind == Credentials.CallbackSignature && ending.Name != Ending.SecretDeleted)
        || (ending.Kind == Credentials.RunToken && door.Late == LateWorker.Told);

    /// <summary>A late report or a late answer is recorded as refused in the run's timeline.</summary>
    private bool IsNoted(Ending ending) => IsReport(ending) || ending.Kind == Credentials.Link;

    private static bool IsNote(string statement) =>
        statement.Contains("INSERT INTO run_event", StringComparison.Ordinal)
        || statement.Contains("event_seq = event_seq + 1", StringComparison.Ordinal);

    /// <summary>The control. It also shows that a door without a body reads none, so no moment is missed.</summary>
    private async Task SucceedsAsync(Ending ending, TimeScene scene, DoorRequest request)
    {
        var held = await ending.ExtendTurnAsync(scene, request);
        var status =
            ReadsBody
                ? (await (await BeginAsync(ending, request, held)).EndAsync()) switch
                {
                    var (s, text) => Right(s)
                        ? s
                        : throw new InvalidOperationException($"{Words(ending)}, with living authority: {text}"),
                }
            : Method is "GET" or "HEAD" ? await SendAsync(request, held)
            : (
                await SlowRequest.TryAsync(world.Server.Url, Method, request.Path, "{}"u8.ToArray(), held.Headers)
            ).Status;
        Assert.True(Right(status), $"{Words(ending)}, with living authority: {status}");

        bool Right(int got) => request.Success is { } success ? got == success : got is >= 200 and < 300;
    }

    private async Task<int> SendAsync(DoorRequest request, Held held)
    {
        using var message = new HttpRequestMessage(new HttpMethod(Method), request.Path);
        if (ReadsBody)
        {
            message.Content = new ByteArrayContent(held.BodyOf(request));
            message.Content.Headers.TryAddWithoutValidation("Content-Type", request.Media);
        }
        foreach (var (name, value) in held.Headers)
            message.Headers.TryAddWithoutValidation(name, value);
        using var answer = await world.Server.Http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
        return (int)answer.StatusCode;
    }

    private string Words(Ending ending) => $"{door.Method} {door.Path}, {Door.NamesOf(ending.Kind)} {ending.Name}";

    /// <summary>What is open while the authority ends.</summary>
    private sealed class Moments : IAsyncDisposable
    {
        public List<(string Moment, SlowRequest Request)> Halves { get; } = [];

        public Task<Answer>? Waiting { get; set; }

        public EventReader? Streaming { get; set; }

        public async ValueTask DisposeAsync()
        {
            foreach (var (_, half) in Halves)
                await half.DisposeAsync();
            if (Streaming is not null)
                await Streaming.DisposeAsync();
        }
    }
}

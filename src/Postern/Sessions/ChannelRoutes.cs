using System.Globalization;
using Postern.Access;
using Postern.Http;
using Postern.Live;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// The routes of channels: appending, reading, following. They are used most of all. A body is wrapped once, stored,
/// and sent to readers as the same bytes.
/// </summary>
internal sealed class ChannelRoutes(
    SessionStore sessions,
    SessionDoor door,
    Appends appends,
    SessionTokens tokens,
    RecordStore records,
    StreamContext streams
)
{
    private const int MaxBody = 1024 * 1024;
    private const int SessionSegment = 3;

    public void Map(Doors doors)
    {
        const string opens = "read:sessions:{session}";
        const string writes = "write:sessions:{session}";
        foreach (var path in (string[])["/{io}", "/channels/{name}/{io}"])
        {
            var group = doors.Group("/realtime/v1/sessions/{session}" + path, SessionFamily.Instance);
            group
                .Post("/append", Credentials.Key | Credentials.Token | Credentials.RunToken, writes, Append)
                .ForReports()
                .WithSummary("Append one record of any text")
                .Header("X-Part-Id", "The same part again is one record")
                .Accepts<string>("text/plain")
                .Produces<Appended>()
                .Produces(400, 401, 403, 404, 409, 413);
            group
                .Post("/records", Credentials.Key | Credentials.Token | Credentials.RunToken, writes, AppendBatch)
                .ForReports()
                .WithSummary("Append a batch of records: how agents stream")
                .Accepts<AppendRecords>()
                .Produces<AppendedBatch>()
                .Produces(400, 401, 403, 404, 409, 413);
            group
                .Get("/records", Credentials.Key | Credentials.Token | Credentials.RunToken, opens, Read)
                .WithSummary("Read records")
                .Query("afterEventId", "Records with a larger number.", -1, long.MaxValue)
                .Query("limit", "How many at most.", 1, 1000, 1000)
                .Produces<RecordsPage>()
                .Produces(400, 401, 404);
            group
                .Get("", Credentials.Key | Credentials.Token | Credentials.RunToken, opens, Follow)
                .WithSummary("Follow the channel as server-sent events")
                .Header("Last-Event-ID", "Resume after this number")
                .Header("Timeout-Seconds", "1 to 600, default 60")
                .Header("X-Peek-Settled", "1: close at once when the last turn has completed")
                .Header("X-Trigger-Stream-Start", "latest: only what is new")
                .Produces<string>(200, "text/event-stream")
                .Produces(400, 401, 404);
            group
                .Head("", Credentials.Key | Credentials.Token | Credentials.RunToken, opens, Head)
                .WithSummary("The last number given, in X-Last-Chunk-Index")
                .Produces(200, 401, 404);
            group
                .Put("", Credentials.Key | Credentials.Token | Credentials.RunToken, writes, Initialize)
                .WithSummary("Direct stream credentials are not offered")
                .Produces(401, 404, 501)
                .Hide();
        }
    }

    private async Task<IResult> Append(HttpContext http, ProjectCaller caller)
    {
        if (!(await ForAppendAsync(http, caller)).Try(out var place, out var refusal))
            return refusal;
        var (name, channel) = place;
        if (!TryPartId(http.Request.Headers, out var partId))
            return WrongPartId;
        if (!(await RequestBody.ReadAsync(http, MaxBody)).Try(out var body, out var tooLarge))
            return tooLarge;
        using (body)
        {
            if (!body.Text().Try(out var text, out var refused))
                return refused;
            var effect = channel == RecordStore.In ? InEffect.Read(text, caller.Authority.SpeaksAsUser) : null;
            if (effect is { Problem: { } problem })
                return RecordBatch.Wrong("Request body " + problem);
            var record = NewRecord.OfText(text.Span, partId ?? Id.New("rec", streams.Database.Now), partId, effect);
            return await AppendAsync(name, channel, [record], caller) switch
            {
                AppendOutcome.Appended done => Appended.Answer(done, channel == RecordStore.In),
                var other => ChannelRefusal.Of(other),
            };
        }
    }

    /// <summary>Reads the name of the part, if there is one. Returns false when it is not valid.</summary>
    private static bool TryPartId(IHeaderDictionary headers, out string? partId)
    {
        var given = headers["X-Part-Id"];
        partId = given is [var only] ? only : null;
        // Two of them would be one text that neither sender wrote.
        return given.Count == 0 || (partId is { Length: > 0 and <= RecordBatch.MaxPartId } && Wire.IsVisible(partId));
    }

    private static Refusal WrongPartId { get; } =
        new(400, "Headers Error", "invalid_body")
        {
            Extra =
            [
                (
                    "details",
                    new[] { $"X-Part-Id must be one text of 1 to {RecordBatch.MaxPartId} characters of ASCII" }
                ),
            ],
            ShouldRetry = false,
        };

    private async Task<IResult> AppendBatch(HttpContext http, ProjectCaller caller)
    {
        if (!(await ForAppendAsync(http, caller)).Try(out var place, out var refusal))
            return refusal;
        var (name, channel) = place;
        if (!(await RequestBody.ReadAsync(http, MaxBody)).Try(out var body, out var tooLarge))
            return tooLarge;
        using (body)
        {
            if (!body.Parse().Try(out var json, out var invalid))
                return invalid with { ShouldRetry = false };
            using (json)
            {
                if (
                    !RecordBatch
                        .Read(json.RootElement, channel, caller.Authority.SpeaksAsUser, streams.Database.Now)
                        .Try(out var batch, out var wrong)
                )
                    return wrong;
                return await AppendAsync(name, channel, batch, caller) switch
                {
                    AppendOutcome.Appended done => Reply.Ok(
                        new AppendedBatch(true, done.Start, done.End, done.StopAsked)
                    ),
                    var other => ChannelRefusal.Of(other),
                };
            }
        }
    }

    private async Task<IResult> Read(HttpContext http, ProjectCaller caller)
    {
        if (!(await door.NameAsync(http, caller, SessionSegment, "read")).Try(out var name, out var refusal))
            return refusal;
        if (ChannelOf(http) is not { } channel)
            return SessionFamily.NotFound;
        var (after, limit) = (-1L, RecordBatch.MaxRecords);
        var query = http.Request.Query;
        if (
            query.TryGetValue("afterEventId", out var asked)
            && (
                !long.TryParse(asked, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out after)
                || after < -1
            )
        )
            return QueryError("afterEventId must be the id of a record");
        if (
            query.TryGetValue("limit", out asked)
            && (
                !int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                || limit is < 1 or > RecordBatch.MaxRecords
            )
        )
            return QueryError($"limit must be a whole number from 1 to {RecordBatch.MaxRecords}");
        return Reply.Bytes(200, RecordsPage.Render(await records.AfterAsync(name, channel, after, limit)));
    }

    private async Task<IResult> Follow(HttpContext http, ProjectCaller caller)
    {
        if (!(await door.NameOrUnbornAsync(http, caller, SessionSegment, "read")).Try(out var named, out var refusal))
            return refusal;
        var (reference, name) = named;
        if (ChannelOf(http) is not { } channel)
            return SessionFamily.NotFound;
        var headers = http.Request.Headers;
        var timeout = 60;
        if (
            headers.TryGetValue("Timeout-Seconds", out var asked)
            && (
                !int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out timeout)
                || timeout is < 1 or > 600
            )
        )
            return new Refusal(400, "Headers Error", "invalid_body")
            {
                Extra = [("details", new[] { "Timeout-Seconds must be a whole number from 1 to 600" })],
                ShouldRetry = false,
            };
        var after = await CursorAsync(http, caller, name, channel);
        var parts = http.Request.RouteValues;
        return new ChannelStream(
            streams,
            sessions,
            tokens,
            records,
            caller,
            new StreamRequest(
                name,
                reference,
                (string)parts["io"]!,
                parts.ContainsKey("name") ? RequestPath.Segment(http, SessionSegment + 2) : null,
                after,
                TimeSpan.FromSeconds(timeout),
                headers["X-Peek-Settled"] == "1"
            )
        );
    }

    private async Task<IResult> Head(HttpContext http, ProjectCaller caller)
    {
        if (!(await door.NameAsync(http, caller, SessionSegment, "read")).Try(out var name, out var refusal))
            return refusal;
        if (ChannelOf(http) is not { } channel)
            return SessionFamily.NotFound;
        http.Response.Headers["X-Last-Chunk-Index"] = ((await records.TailAsync(name, channel)).Next - 1).ToString();
        return Reply.Bytes(200, default);
    }

    private async Task<IResult> Initialize(HttpContext http, ProjectCaller caller)
    {
        return !(await door.NameAsync(http, caller, SessionSegment, "write")).Try(out _, out var refusal)
            ? refusal
            : new Refusal(501, "Direct stream credentials are not offered: append over HTTP", "not_offered")
            {
                ShouldRetry = false,
            };
    }

    private async ValueTask<Checked<ChannelRef>> ForAppendAsync(HttpContext http, ProjectCaller caller)
    {
        if (!(await door.NameAsync(http, caller, SessionSegment, "write")).Try(out var name, out var refusal))
            return refusal;
        if (ChannelOf(http) is not { } channel)
            return SessionFamily.NotFound;
        // A client's token may append to `in`. Appends to `out` need a key, or the token of the run that has the
        // session.
        var isOut = (string)http.Request.RouteValues["io"]! == RecordStore.Out;
        if (isOut && caller.Authority.Credential == "token")
            return ChannelRefusal.OutNeedsKey;
        return new ChannelRef(name, channel);
    }

    private Task<AppendOutcome> AppendAsync(
        SessionRef name,
        string channel,
        IReadOnlyList<NewRecord> batch,
        ProjectCaller caller
    )
    {
        var (worker, person) = (caller.Authority.Worker, caller.Authority.Person);
        return appends.AppendAsync(
            name,
            channel,
            batch,
            worker is null && person is null ? Writer.Server : new Writer(worker?.Run, person, worker?.Attempt ?? 0)
        );
    }

    /// <summary>
    /// Returns where a stream begins: after a record, at the start, at the end (null), or where a command-line client
    /// stopped.
    /// </summary>
    private async ValueTask<long?> CursorAsync(HttpContext http, ProjectCaller caller, SessionRef? name, string channel)
    {
        var headers = http.Request.Headers;
        if (headers.TryGetValue("Last-Event-ID", out var last) && last.ToString().Length > 0)
            return
                long.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var seq) && seq < long.MaxValue
                ? seq
                : -1;
        if (headers["X-Trigger-Stream-Start"] == "latest")
            return name is null ? -1 : null;
        if (
            channel == RecordStore.Out
            && name is not null
            && caller.Authority.Person is { } person
            && await records.GetReadPositionAsync(name, person) is { } stand
        )
            return stand - 1;
        return -1;
    }

    /// <summary>Returns the channel of the path, as it is stored, or null when the path names none.</summary>
    private static string? ChannelOf(HttpContext http)
    {
        var parts = http.Request.RouteValues;
        if (parts["io"] is not (RecordStore.In or RecordStore.Out))
            return null;
        var io = (string)parts["io"]!;
        if (!parts.ContainsKey("name"))
            return io;
        var side = RequestPath.Segment(http, SessionSegment + 2);
        return side is { Length: <= 128 } && side.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
            ? RecordStore.Side(side, io)
            : null;
    }

    private static Refusal QueryError(string detail) =>
        new(400, "Query Error", "invalid_body") { Extra = [("details", new[] { detail })], ShouldRetry = false };
}

using Postern.Http;
using Postern.Runs;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>One session: its transcript with live updates, its records, runs and data.</summary>
internal sealed class SessionPages(
    PageWriter writer,
    SessionFinder finder,
    TranscriptFeed feed,
    Transcript transcript,
    RecordStore records,
    RunStore runs
) : IPages
{
    private const int MessagesOfPage = 100;
    private const int RecordsOfPage = 100;
    private const int RunsOfPage = 50;
    private const int RecordsBeside = 30;

    /// <summary>The query that shows the records beside the transcript.</summary>
    public const string BesideFilter = "beside";
    private static readonly string[] Tabs = ["transcript", "records", "runs", "facts"];

    public void Map(PageDoors pages)
    {
        const string reads = "read:sessions:{session}";
        pages.Page("/sessions/{session}", reads, Show).WithSummary("One session");
        pages.Stream("/sessions/{session}/live", reads, Follow).WithSummary("A session, as it goes on");
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (!(await finder.FindAsync(context, "read")).Try(out var session, out var refusal))
            return refusal;
        var query = context.Http.Request.Query;
        var tab = query["tab"].ToString() is { Length: > 0 } asked ? asked : Tabs[0];
        if (!Tabs.Contains(tab, StringComparer.Ordinal))
            return PageFilters.Bad("tab is none of " + string.Join(", ", Tabs));
        var at = long.MaxValue;
        if (query["at"].ToString() is { Length: > 0 } text && (!long.TryParse(text, out at) || at < 1))
            return PageFilters.Bad("at is a number from 1");
        var model = new SessionModel { Session = session, Tab = tab };
        var read = query["text"].ToString().Trim() is { Length: > 0 } sought
            ? await WithFoundAsync(context, model, sought, at)
            : await WithTabAsync(context, model, at);
        return read.Try(out var whole, out var wrong)
            ? await writer.PageAsync<SessionPage, SessionModel>(context, whole)
            : wrong;
    }

    private async ValueTask<Checked<SessionModel>> WithFoundAsync(
        PageContext context,
        SessionModel model,
        string sought,
        long at
    ) =>
        sought.Length > PageFilters.MaxValue
            ? PageFilters.Bad($"text has more than {PageFilters.MaxValue} characters")
            : model with
            {
                Found = await TranscriptSearch.FindAsync(context, transcript, model.Session, sought, at),
            };

    private async ValueTask<Checked<SessionModel>> WithTabAsync(PageContext context, SessionModel model, long at) =>
        model.Tab switch
        {
            "transcript" => await WithMessagesAsync(context, model, at),
            "records" => await WithRecordsAsync(context, model, at),
            "runs" when context.Caller.Allows("read", "runs") => model with
            {
                Runs = await RunsOfAsync(context, model.Session),
            },
            _ => model,
        };

    private async ValueTask<Checked<SessionModel>> WithRecordsAsync(PageContext context, SessionModel model, long at)
    {
        var channel = context.Http.Request.Query["channel"].ToString();
        if (channel.Length == 0)
            channel = RecordStore.Out;
        if (channel.Length > 128)
            return PageFilters.Bad("channel has at most 128 characters");
        var name = Conversation.NameOf(model.Session);
        var after = at == long.MaxValue ? Math.Max(-1, await LastOfAsync(name, channel) - RecordsOfPage) : at - 1;
        return model with
        {
            Channel = channel,
            Records = await records.AfterAsync(name, channel, after, RecordsOfPage),
        };
    }

    /// <summary>A chat of the playground shows them without this query.</summary>
    private static bool IsBeside(Session session, string asked) =>
        asked == "records"
        || (
            asked.Length == 0 && session.ExternalId?.StartsWith(PlaygroundForms.Chats, StringComparison.Ordinal) == true
        );

    private async Task<IReadOnlyList<(string Channel, Record Record)>> BesideAsync(SessionRef name)
    {
        var newest = new List<(string Channel, Record Record)>();
        foreach (var channel in (string[])[RecordStore.In, RecordStore.Out])
        {
            var after = Math.Max(-1, await LastOfAsync(name, channel) - RecordsBeside);
            var found = await records.AfterAsync(name, channel, after, RecordsBeside);
            newest.AddRange(found.Select(record => (channel, record)));
        }
        return [.. newest.OrderBy(n => n.Record.At).TakeLast(RecordsBeside)];
    }

    private async Task<IResult> Follow(PageContext context) =>
        (await finder.FindAsync(context, "read")).Try(out var session, out var refusal)
            ? feed.Follow(context, Conversation.NameOf(session))
            : refusal;

    private async Task<SessionModel> WithMessagesAsync(PageContext context, SessionModel model, long at)
    {
        var session = model.Session;
        // One more message is read, to know whether there are older ones.
        var before = at == long.MaxValue ? long.MaxValue : at + (MessagesOfPage / 2);
        var messages = await transcript.BeforeAsync(session.Project, session.Id, before, MessagesOfPage + 1);
        model = model with
        {
            Messages = [.. messages.Take(MessagesOfPage).Reverse()],
            HasOlder = messages.Count > MessagesOfPage,
        };
        return IsBeside(session, context.Http.Request.Query[BesideFilter].ToString())
            ? model with
            {
                Beside = await BesideAsync(Conversation.NameOf(session)),
            }
            : model;
    }

    private async ValueTask<long> LastOfAsync(SessionRef name, string channel) =>
        (await records.TailAsync(name, channel)).Next - 1;

    private async ValueTask<IReadOnlyList<Run>> RunsOfAsync(PageContext context, Session session)
    {
        var filter = new RunFilter { Sessions = [session.Id], IsShown = SessionStore.ShownTo(context.MayAdmin, "run") };
        return (await runs.ListAsync(session.Project, filter, RunsOfPage, context.Http.RequestAborted)).Rows;
    }
}

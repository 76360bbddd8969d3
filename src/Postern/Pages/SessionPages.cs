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
    private const int MostChannels = 30;
    private const int RecordsBeside = 30;

    /// <summary>The query that shows the records beside the transcript.</summary>
    public const string BesideFilter = "beside";
    private static readonly string[] Asked = ["tab", "at", "text", "channel", BesideFilter];
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
        if (!PageFilters.Read(context.Http, Asked).Try(out var asked, out var unknown))
            return unknown;
        var tab = asked.Text("tab") ?? Tabs[0];
        if (!Tabs.Contains(tab, StringComparer.Ordinal))
            return PageFilters.Bad("tab is none of " + string.Join(", ", Tabs));
        var at = long.MaxValue;
        // Messages are numbered from 1, records from 0.
        var least = tab == "records" ? 0 : 1;
        if (asked.Text("at") is { } text && (!long.TryParse(text, out at) || at < least))
            return PageFilters.Bad($"at is a number from {least}");
        var model = new SessionModel { Session = session, Tab = tab };
        var whole = asked.Text("text") is { } sought
            ? model with
            {
                Found = await TranscriptSearch.FindAsync(context, transcript, session, sought, at),
            }
            : await WithTabAsync(context, model, asked, at);
        return await writer.PageAsync<SessionPage, SessionModel>(context, whole);
    }

    private async ValueTask<SessionModel> WithTabAsync(
        PageContext context,
        SessionModel model,
        PageFilters asked,
        long at
    ) =>
        model.Tab switch
        {
            "transcript" => await WithMessagesAsync(model, asked[BesideFilter], at),
            "records" => await WithRecordsAsync(model, asked.Text("channel") ?? RecordStore.Out, at),
            "runs" when context.Caller.Allows("read", "runs") => model with
            {
                Runs = await RunsOfAsync(context, model.Session),
            },
            _ => model,
        };

    private async ValueTask<SessionModel> WithRecordsAsync(SessionModel model, string channel, long at)
    {
        var name = Conversation.NameOf(model.Session);
        var after = at == long.MaxValue ? Math.Max(-1, await LastOfAsync(name, channel) - RecordsOfPage) : at - 1;
        return model with
        {
            Channel = channel,
            Channels = await records.ChannelsAsync(name, MostChannels),
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

    private async Task<SessionModel> WithMessagesAsync(SessionModel model, string beside, long at)
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
        return IsBeside(session, beside)
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

using System.Text.Json;
using Postern.Agents;
using Postern.Http;
using Postern.Sessions;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// Gives due runs to their agents. It claims them in batches under a lease with a fencing number, on any number of nodes; a run whose
/// node died is claimed again when its lease has run out. It wakes at a commit that made a run due, and looks by itself every second.
/// </summary>
internal sealed class RunDispatcher(Database database, RunStore runs, AgentStore agents, Conversation conversation, EchoAgent echo, HttpAgent http, PosternOptions options, TimeProvider clock, ILogger<RunDispatcher> log) : BackgroundService
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    /// <summary>Seconds before the second, third … try of a hand-over.</summary>
    private static readonly int[] Schedule = [5, 30, 120, 600, 1800];

    private readonly SemaphoreSlim _slots = new(options.Runs.DispatchConcurrency);
    private readonly Hint _due = new();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var listening = database.Changes.Listen(Topics.Runs, _due.Set);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var claimed = _slots.CurrentCount == 0 ? [] : await runs.ClaimDueAsync(_slots.CurrentCount, Lease);
                foreach (var run in claimed)
                {
                    await _slots.WaitAsync(stoppingToken);
                    _ = WorkAsync(run, stoppingToken);
                }
                if (claimed.Count == 0) await _due.WaitAsync(LookEvery, clock, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (StorageUnavailableException fault)
            {
                RunLog.DispatchWaits(log, fault.Message);
                await Task.Delay(LookEvery, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception fault) when (fault is not OutOfMemoryException)
            {
                // A fault in one look does not end the looking.
                RunLog.LoopFailed(log, fault);
                await Task.Delay(LookEvery, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task WorkAsync(Run run, CancellationToken stop)
    {
        try
        {
            if (run.IsEnded) await TellEndedAsync(run, stop);
            else await TakeTurnAsync(run, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The node is stopping: the lease runs out and another takes the run up.
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            RunLog.TurnFailed(log, run.Id, fault);
        }
        finally
        {
            _slots.Release();
            _due.Set();
        }
    }

    private async Task TakeTurnAsync(Run run, CancellationToken stop)
    {
        var agent = await agents.FindAsync(run.Project, run.Agent);
        if (agent is null)
        {
            await BreakAsync(run, $"The agent {run.Agent} is not registered.", RunStatus.Failed);
            return;
        }
        if (agent.Kind == Agent.Pull)
        {
            // It claims its work by itself: nothing is handed to it.
            await database.WriteAsync(async tx => await RunStore.HandedOverAsync(tx, run), CancellationToken.None);
            return;
        }
        var turnTime = TimeSpan.FromSeconds(agent.Settings.TurnSeconds ?? options.Runs.TurnSeconds);
        var totalTime = TimeSpan.FromSeconds(agent.Settings.TotalSeconds ?? options.Runs.TotalSeconds);
        var session = await database.WriteAsync(tx => Conversation.BeginTurnAsync(tx, run, turnTime, totalTime, agent.Settings.Concurrency), CancellationToken.None);
        if (session is null) return;
        if (agent.Kind == Agent.Echo) await echo.TakeTurnAsync(run, session, stop);
        else await HandOverAsync(agent, run, session, stop);
    }

    private async Task HandOverAsync(Agent agent, Run run, Session session, CancellationToken stop)
    {
        var outcome = await http.DispatchAsync(agent, run, session, stop);
        if (outcome.Taken)
        {
            // The lease number guards: a turn that the agent has ended meanwhile is not taken back.
            await database.WriteAsync(async tx => await RunStore.HandedOverAsync(tx, run), CancellationToken.None);
            if (outcome.Answer is not null) await FinishAtOnceAsync(run, session, outcome.Answer);
            return;
        }
        var tries = (int)run.Tries + 1;
        if (outcome.Retry && tries < Math.Min(agent.Settings.MaxTries ?? Schedule.Length + 1, Schedule.Length + 1))
        {
            RunLog.HandOverPostponed(log, run.Id, tries, outcome.Words);
            await database.WriteAsync(async tx => await RunStore.PostponeAsync(tx, run, tx.Now + (Schedule[tries - 1] * 1_000_000L)), CancellationToken.None);
            return;
        }
        await BreakAsync(run, $"The run could not be handed to its agent: {outcome.Words}", RunStatus.Failed);
    }

    /// <summary>An agent may answer its dispatch with the finished turn: <c>{status, output}</c>.</summary>
    private async Task FinishAtOnceAsync(Run run, Session session, string answer)
    {
        if (FinishedTurn.Read(answer) is not { } finished) return;
        if (!finished.Succeeded)
        {
            await BreakAsync(run, finished.Text ?? "The agent reported a failure.", RunStatus.Failed);
            return;
        }
        var turn = $"{run.Id}:{session.TurnInSeq}:answer";
        var records = new List<NewRecord>();
        if (finished.Text is { } text)
        {
            object[] chunks = [new { type = "start", messageId = "msg_" + run.Id }, new { type = "text-start", id = "0" }, new { type = "text-delta", id = "0", delta = text }, new { type = "text-end", id = "0" }, new { type = "finish" }];
            for (var i = 0; i < chunks.Length; i++) records.Add(NewRecord.OfJson(JsonSerializer.SerializeToUtf8Bytes(chunks[i], Wire.Json), $"{turn}:{i}", $"{turn}:{i}"));
        }
        records.Add(NewRecord.OfControl(turn + ":end", [Control.Header, Control.TurnComplete]));
        await database.WriteAsync(tx => conversation.AppendAsync(tx, Conversation.NameOf(session), RecordStore.Out, records, new Writer(run.Id)), CancellationToken.None);
    }

    private async Task TellEndedAsync(Run run, CancellationToken stop)
    {
        var agent = await agents.FindAsync(run.Project, run.Agent);
        var outcome = agent is { Kind: Agent.Http } ? await http.TellEndedAsync(agent, run, stop) : null;
        var again = outcome is { Taken: false, Retry: true } && run.Tries < Schedule.Length;
        if (outcome is { Taken: false }) RunLog.EndNotTold(log, run.Id, outcome.Words);
        await database.WriteAsync(async tx => again
            ? await RunStore.PostponeAsync(tx, run, tx.Now + (Schedule[(int)run.Tries] * 1_000_000L))
            : await RunStore.HandedOverAsync(tx, run), CancellationToken.None);
    }

    private Task<int> BreakAsync(Run run, string why, string status) =>
        database.WriteAsync(async tx =>
        {
            if (run.Session is null || await SessionStore.LockAsync(tx, run.Project, run.Session) is not { } session || session.CurrentRun != run.Id) return 0;
            await conversation.BreakTurnAsync(tx, session, why, status);
            return 1;
        }, CancellationToken.None);

    public override void Dispose()
    {
        _slots.Dispose();
        _due.Dispose();
        base.Dispose();
    }

    /// <summary>The body of a 2xx to a dispatch that ends the turn: <c>{"status":"succeeded","output":"…"}</c>; output is a text, or an object with <c>text</c>.</summary>
    private sealed record FinishedTurn(bool Succeeded, string? Text)
    {
        public static FinishedTurn? Read(string answer)
        {
            try
            {
                using var json = JsonDocument.Parse(answer);
                if (json.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty("status", out var status) || status.ValueKind != JsonValueKind.String) return null;
                var output = json.RootElement.TryGetProperty("output", out var given) ? given : default;
                var text = output.ValueKind == JsonValueKind.Object && output.TryGetProperty("text", out var inner) ? inner : output;
                return status.GetString() switch
                {
                    RunStatus.Succeeded => new FinishedTurn(true, text.ValueKind == JsonValueKind.String ? Fields.TextOf(text) : null),
                    RunStatus.Failed => new FinishedTurn(false, text.ValueKind == JsonValueKind.String ? Fields.TextOf(text) : null),
                    _ => null,
                };
            }
            catch (JsonException)
            {
                return null;
            }
        }
    }
}

internal static partial class RunLog
{
    [LoggerMessage(EventId = 300, Level = LogLevel.Warning, Message = "Runs cannot be claimed now: {Reason}")]
    public static partial void DispatchWaits(ILogger log, string reason);

    [LoggerMessage(EventId = 301, Level = LogLevel.Error, Message = "A turn of {Run} failed here; its lease runs out and it is taken up again")]
    public static partial void TurnFailed(ILogger log, string run, Exception fault);

    [LoggerMessage(EventId = 302, Level = LogLevel.Warning, Message = "{Run} could not be handed over, try {Tries}: {Reason}")]
    public static partial void HandOverPostponed(ILogger log, string run, int tries, string reason);

    [LoggerMessage(EventId = 303, Level = LogLevel.Warning, Message = "The agent was not told that {Run} ended: {Reason}")]
    public static partial void EndNotTold(ILogger log, string run, string reason);

    [LoggerMessage(EventId = 304, Level = LogLevel.Information, Message = "{Run} ended as {Status}: {Reason}")]
    public static partial void RunEnded(ILogger log, string run, string status, string reason);

    [LoggerMessage(EventId = 307, Level = LogLevel.Error, Message = "{Id} is overdue and could not be ended; it is tried again")]
    public static partial void KeeperFailed(ILogger log, string id, Exception fault);

    [LoggerMessage(EventId = 306, Level = LogLevel.Error, Message = "A loop failed and goes on")]
    public static partial void LoopFailed(ILogger log, Exception fault);

    [LoggerMessage(EventId = 305, Level = LogLevel.Warning, Message = "Overdue work cannot be looked at now: {Reason}")]
    public static partial void KeeperWaits(ILogger log, string reason);
}

using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

/// <summary>The shape of a run, for the document.</summary>
internal sealed record RunView(
    [Member("The run's id.")] string Id,
    [Member("The slug of the agent that does the work.")] string Agent,
    [Member("The workflow that the run goes along.")] string Workflow,
    [Member("The version of the workflow; 0 is built in.")] long WorkflowVersion,
    [Member("The state of its workflow.")] string Status,
    [Word(
        "What the state means.",
        Runs.Phase.Queued,
        Runs.Phase.Running,
        Runs.Phase.Waiting,
        Runs.Phase.Paused,
        Runs.Phase.Succeeded,
        Runs.Phase.Failed,
        Runs.Phase.Cancelled,
        Runs.Phase.TimedOut
    )]
        string Phase,
    [Member("The attempt that the run is at, from 1.")] long Attempt,
    [Member("The id of the session that the run works in.")] string? SessionId,
    [Member("The run of the session before this one.")] string? PreviousRunId,
    [Member("Why the run is as it is, for people.")] string? Reason,
    [Member("The question that the run waits for.")] string? ApprovalRequestId,
    [Member("Why the run failed.")] Failure? Failure,
    [Member("How much is done, from 0 to 1.")] decimal? Progress,
    [Member("What the agent was given. Not in lists.", MayBeAbsent = true)] JsonElement? Input,
    [Member("What came of it; null before. Not in lists.", MayBeAbsent = true)] JsonElement? Output,
    [Chosen("The artifacts by their names. Not in lists.", MayBeAbsent = true)] JsonElement? Artifacts,
    [Member("Words to find the run by.")] IReadOnlyList<string> Tags,
    [Chosen("The JSON object that is kept with the run.")] JsonElement? Metadata,
    [Member("Where the end of the run is told.")] RunCallbackView? Callback,
    [At("When the run was made.")] string CreatedAt,
    [At("When its first attempt began.")] string? StartedAt,
    [At("When it changed last.")] string UpdatedAt,
    [At("When it ended.")] string? EndedAt,
    [At("When its attempt is ended, unless it ends before.")] string? DeadlineAt,
    [At("The newest instant that a report gave.")] string? LatestAppliedOccurredAt,
    [Member("The attempts before this one, where there are any. Not in lists.", MayBeAbsent = true)]
        IReadOnlyList<RunAttempt>? Attempts,
    [Member("Why it has not ended, of a run that is read by itself.", MayBeAbsent = true)] Why? Why
);

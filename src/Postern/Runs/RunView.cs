using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

/// <summary>The shape of a run, for the document.</summary>
internal sealed record RunView
{
    [Member("The run's id.")]
    public required string Id { get; init; }

    [Member("The slug of the agent that does the work.")]
    public required string Agent { get; init; }

    [Member("The workflow that the run goes along.")]
    public required string Workflow { get; init; }

    [Member("The version of the workflow; 0 is built in.")]
    public required long WorkflowVersion { get; init; }

    [Member("The state of its workflow.")]
    public required string Status { get; init; }

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
    public required string Phase { get; init; }

    [Member("The attempt that the run is at, from 1.")]
    public required long Attempt { get; init; }

    [Member("The id of the session that the run works in.")]
    public required string? SessionId { get; init; }

    [Member("The run of the session before this one.")]
    public required string? PreviousRunId { get; init; }

    [Member("Why the run is as it is, for people.")]
    public required string? Reason { get; init; }

    [Member("The question that the run waits for.")]
    public required string? ApprovalRequestId { get; init; }

    [Member("Why the run failed.")]
    public required Failure? Failure { get; init; }

    [Member("How much is done, from 0 to 1.")]
    public required decimal? Progress { get; init; }

    [Member("What the agent was given. Not in lists.", MayBeAbsent = true)]
    public required JsonElement? Input { get; init; }

    [Member("What came of it; null before. Not in lists.", MayBeAbsent = true)]
    public required JsonElement? Output { get; init; }

    [Chosen("The artifacts by their names. Not in lists.", MayBeAbsent = true)]
    public required JsonElement? Artifacts { get; init; }

    [Member("Words to find the run by.")]
    public required IReadOnlyList<string> Tags { get; init; }

    [Chosen("The JSON object that is kept with the run.")]
    public required JsonElement? Metadata { get; init; }

    [Member("Where the end of the run is told.")]
    public required RunCallbackView? Callback { get; init; }

    [At("When the run was made.")]
    public required string CreatedAt { get; init; }

    [At("When its first attempt began.")]
    public required string? StartedAt { get; init; }

    [At("When it changed last.")]
    public required string UpdatedAt { get; init; }

    [At("When it ended.")]
    public required string? EndedAt { get; init; }

    [At("When its attempt is ended, unless it ends before.")]
    public required string? DeadlineAt { get; init; }

    [At("The newest instant that a report gave.")]
    public required string? LatestAppliedOccurredAt { get; init; }

    [Member("The attempts before this one, where there are any. Not in lists.", MayBeAbsent = true)]
    public required IReadOnlyList<RunAttempt>? Attempts { get; init; }

    [Member("Why it has not ended, of a run that is read by itself.", MayBeAbsent = true)]
    public required Why? Why { get; init; }
}

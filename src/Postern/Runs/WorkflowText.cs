using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

/// <summary>
/// A workflow's definition as JSON: checked when it is put, all faults at once, and read back when a run needs it.
/// </summary>
internal static class WorkflowText
{
    private static readonly Dictionary<string, long> NoDeadlines = [];

    /// <summary>
    /// The definition that is put under a name; or the refusal, which names everything that is wrong.
    /// </summary>
    public static Checked<Workflow> CheckPut(string name, Fields fields)
    {
        Slug.Check(fields, "workflow", name, 64, "must be named with");
        var workflow = Check(name, fields);
        if (fields.Refusal() is { } wrong)
            return wrong with
            {
                Code = "invalid_workflow",
                Extra = [("errors", fields.Faults.Select(f => $"{f.Field} {f.Problem}"))],
            };
        return name == Workflow.Agent.Name
            ? new Refusal(409, "The workflow agent is built in: give yours another name.", "built_in")
            : workflow!;
    }

    /// <summary>
    /// The definition that a body holds. Its faults are in <paramref name="fields"/>; with any of them the answer is
    /// null.
    /// </summary>
    public static Workflow? Check(string name, Fields fields)
    {
        var asked = fields.Read<PutWorkflow>();
        // Parts that have a fault were not read: the graph is that of the others.
        var (initial, states) = (asked.Initial, StatesOf(asked, fields));
        var (checkpoints, deadlines) = (asked.Checkpoints ?? [], asked.Deadlines ?? NoDeadlines);
        var (immutable, mutable) = (asked.Artifacts?.Immutable ?? [], asked.Artifacts?.Mutable ?? []);
        foreach (var key in immutable.Intersect(mutable, StringComparer.Ordinal))
            fields.Fault("artifacts", $"lists {key} as immutable and as mutable");
        if (states.Count > 0)
        {
            CheckInitial(initial, states, fields);
            CheckStates(states, fields);
            CheckCheckpoints(checkpoints, states, fields);
        }
        CheckDeadlines(deadlines, states, fields);
        return fields.Faults.Count > 0
            ? null
            : new Workflow(name, 0, initial, states, checkpoints, immutable, mutable, deadlines);
    }

    /// <summary>One text for one meaning: members in a fixed order, states by name.</summary>
    public static string Write(Workflow workflow)
    {
        var definition = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["initial"] = workflow.Initial,
            ["states"] = workflow
                .States.OrderBy(s => s.Key, StringComparer.Ordinal)
                .ToDictionary(
                    s => s.Key,
                    s =>
                        s.Value.Self
                            ? (object)
                                new
                                {
                                    phase = s.Value.Phase,
                                    to = s.Value.To,
                                    self = true,
                                }
                            : new { phase = s.Value.Phase, to = s.Value.To },
                    StringComparer.Ordinal
                ),
        };
        if (workflow.Checkpoints.Count > 0)
            definition["checkpoints"] = workflow.Checkpoints.Select(c => new
            {
                state = c.State,
                artifact = c.Artifact,
            });
        if (workflow.ListsArtifacts)
            definition["artifacts"] = new { immutable = workflow.Immutable, mutable = workflow.Mutable };
        if (workflow.Deadlines.Count > 0)
            definition["deadlines"] = workflow
                .Deadlines.OrderBy(d => d.Key, StringComparer.Ordinal)
                .ToDictionary(StringComparer.Ordinal);
        return JsonSerializer.Serialize(definition, Wire.Json);
    }

    public static Workflow Read(string name, long version, string text)
    {
        using var json = JsonDocument.Parse(text, Wire.Kept);
        var fields = new Fields(json.RootElement);
        return (
            Check(name, fields)
            ?? throw new InvalidOperationException($"The stored definition of {name} {version} is damaged.")
        ) with
        {
            Version = version,
        };
    }

    private static Dictionary<string, WorkflowState> StatesOf(PutWorkflow asked, Fields fields)
    {
        var states = new Dictionary<string, WorkflowState>(StringComparer.Ordinal);
        if (asked.States is not { } given)
            return states;
        foreach (var (name, state) in given)
        {
            if (!Slug.IsName(name, PutWorkflow.MaxName))
                fields.Fault(
                    "states." + name,
                    $"must be named with 1 to {PutWorkflow.MaxName} letters, digits, dots, underscores and hyphens"
                );
            // A state in its own list is the same as self.
            IReadOnlyList<string> to = state.To ?? [];
            states[name] = new WorkflowState(
                state.Phase ?? Phase.Running,
                [.. to.Where(t => t != name).Distinct(StringComparer.Ordinal)],
                state.Self == true || to.Contains(name, StringComparer.Ordinal)
            );
        }
        if (given.Count == 0)
            fields.Fault("states", "must not be empty");
        return states;
    }

    private static void CheckInitial(string? initial, Dictionary<string, WorkflowState> states, Fields fields)
    {
        if (!states.Values.Any(s => Phase.IsTerminal(s.Phase)))
            fields.Fault("states", "must have a state that runs end in (succeeded, failed, cancelled or timed_out)");
        if (initial is null)
            return;
        if (!states.TryGetValue(initial, out var first))
        {
            fields.Fault("initial", $"names {initial}, which is no state of this workflow");
            return;
        }
        if (Phase.IsTerminal(first.Phase))
            fields.Fault("initial", "must not be a state that runs end in");
        var reached = Reach(initial, states);
        foreach (var name in states.Keys.Where(n => !reached.Contains(n)))
            fields.Fault("states." + name, $"cannot be reached from {initial}");
    }

    private static void CheckStates(Dictionary<string, WorkflowState> states, Fields fields)
    {
        foreach (var (name, state) in states)
        {
            foreach (var to in state.To.Where(to => !states.ContainsKey(to)))
                fields.Fault($"states.{name}.to", $"names {to}, which is no state of this workflow");
            if (Phase.IsTerminal(state.Phase) && (state.To.Count > 0 || state.Self))
                fields.Fault($"states.{name}.to", $"must be empty: runs end in a state of the phase {state.Phase}");
        }
    }

    private static void CheckCheckpoints(
        IReadOnlyList<Checkpoint> checkpoints,
        Dictionary<string, WorkflowState> states,
        Fields fields
    )
    {
        foreach (var (i, checkpoint) in checkpoints.Index().Where(c => c.Item.State is not null))
        {
            var at = $"checkpoints[{i}].state";
            if (!states.TryGetValue(checkpoint.State, out var state))
                fields.Fault(at, $"names {checkpoint.State}, which is no state of this workflow");
            else if (Phase.IsTerminal(state.Phase))
                fields.Fault(at, "must not be a state that runs end in");
        }
    }

    private static void CheckDeadlines(
        IReadOnlyDictionary<string, long> deadlines,
        Dictionary<string, WorkflowState> states,
        Fields fields
    )
    {
        foreach (var name in deadlines.Keys)
        {
            if (!states.TryGetValue(name, out var state))
                fields.Fault("deadlines." + name, "is no state of this workflow");
            else if (Phase.IsTerminal(state.Phase))
                fields.Fault("deadlines." + name, "is a state that runs end in: it lasts for ever");
        }
    }

    private static HashSet<string> Reach(string initial, Dictionary<string, WorkflowState> states)
    {
        var reached = new HashSet<string>(StringComparer.Ordinal) { initial };
        var open = new Queue<string>(reached);
        while (open.TryDequeue(out var name))
            foreach (var to in states[name].To.Where(states.ContainsKey))
                if (reached.Add(to))
                    open.Enqueue(to);
        return reached;
    }
}

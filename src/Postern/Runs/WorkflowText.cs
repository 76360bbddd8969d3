using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

/// <summary>
/// A workflow's definition as JSON: checked when it is put, all faults at once, and read back when a run needs it.
/// </summary>
internal static class WorkflowText
{
    public const int MaxStates = 200;
    private const int MaxName = 64;
    private const int MaxArtifacts = 100;
    private const long MaxDeadlineSeconds = 2_592_000;

    /// <summary>
    /// The definition that a body holds. Its faults are in <paramref name="fields"/>; with any of them the answer is
    /// null.
    /// </summary>
    public static Workflow? Check(string name, Fields fields)
    {
        var initial = fields.Text("initial", 1, MaxName, required: true);
        var states = ReadStates(fields);
        var checkpoints = ReadCheckpoints(fields);
        var artifacts = fields.Object("artifacts") is { } listed ? new Fields(listed) : null;
        var immutable = artifacts?.Texts("immutable", MaxArtifacts, 128) ?? [];
        var mutable = artifacts?.Texts("mutable", MaxArtifacts, 128) ?? [];
        artifacts?.RefuseUnknown();
        foreach (var (field, problem) in artifacts?.Faults ?? [])
            fields.Fault("artifacts." + field, problem);
        foreach (var key in immutable.Intersect(mutable, StringComparer.Ordinal))
            fields.Fault("artifacts", $"lists {key} as immutable and as mutable");
        var deadlines = ReadDeadlines(fields, states);
        fields.RefuseUnknown();
        if (states.Count > 0)
            CheckGraph(initial, states, checkpoints, fields);
        return fields.Faults.Count > 0
            ? null
            : new Workflow(name, 0, initial!, states, checkpoints, immutable, mutable, deadlines);
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

    private static Dictionary<string, WorkflowState> ReadStates(Fields fields)
    {
        var states = new Dictionary<string, WorkflowState>(StringComparer.Ordinal);
        if (fields.Object("states", required: true) is not { } given)
            return states;
        foreach (var member in given.EnumerateObject())
        {
            var at = "states." + member.Name;
            if (states.Count == MaxStates)
            {
                fields.Fault("states", $"must have at most {MaxStates} members");
                break;
            }
            if (
                member.Name.Length is 0 or > MaxName
                || !member.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.')
            )
                fields.Fault(at, $"must be named with 1 to {MaxName} letters, digits, dots, underscores and hyphens");
            if (member.Value.ValueKind != JsonValueKind.Object)
            {
                fields.Fault(at, "must be an object");
                continue;
            }
            var state = new Fields(member.Value);
            var phase = state.Word("phase", Phase.All, required: true);
            var to = state.Texts("to", MaxStates, MaxName, required: true);
            var self = state.Flag("self") ?? false;
            state.RefuseUnknown();
            foreach (var (field, problem) in state.Faults)
                fields.Fault($"{at}.{field}", problem);
            // A state in its own list is the same as self.
            states[member.Name] = new WorkflowState(
                phase ?? Phase.Running,
                [.. (to ?? []).Where(t => t != member.Name).Distinct(StringComparer.Ordinal)],
                self || to?.Contains(member.Name, StringComparer.Ordinal) == true
            );
        }
        if (states.Count == 0)
            fields.Fault("states", "must not be empty");
        return states;
    }

    private static List<Checkpoint> ReadCheckpoints(Fields fields)
    {
        var checkpoints = new List<Checkpoint>();
        if (fields.Any("checkpoints") is not { } given)
            return checkpoints;
        if (given.ValueKind != JsonValueKind.Array || given.GetArrayLength() > MaxStates)
        {
            fields.Fault("checkpoints", $"must be a list of at most {MaxStates} objects");
            return checkpoints;
        }
        foreach (var item in given.EnumerateArray())
        {
            var at = $"checkpoints[{checkpoints.Count}]";
            if (item.ValueKind != JsonValueKind.Object)
            {
                fields.Fault(at, "must be an object");
                return checkpoints;
            }
            var checkpoint = new Fields(item);
            var (state, artifact) = (
                checkpoint.Text("state", 1, MaxName, required: true),
                checkpoint.Text("artifact", 1, 128, required: true)
            );
            checkpoint.RefuseUnknown();
            foreach (var (field, problem) in checkpoint.Faults)
                fields.Fault($"{at}.{field}", problem);
            checkpoints.Add(new Checkpoint(state ?? "", artifact ?? ""));
        }
        return checkpoints;
    }

    private static Dictionary<string, long> ReadDeadlines(Fields fields, Dictionary<string, WorkflowState> states)
    {
        var deadlines = new Dictionary<string, long>(StringComparer.Ordinal);
        if (fields.Object("deadlines") is not { } given)
            return deadlines;
        var seconds = new Fields(given);
        foreach (var member in given.EnumerateObject())
        {
            if (seconds.Whole(member.Name, 1, MaxDeadlineSeconds) is { } value)
                deadlines[member.Name] = value;
            if (!states.TryGetValue(member.Name, out var state))
                fields.Fault("deadlines." + member.Name, "is no state of this workflow");
            else if (Phase.IsTerminal(state.Phase))
                fields.Fault("deadlines." + member.Name, "is a state that runs end in: it lasts for ever");
        }
        foreach (var (field, problem) in seconds.Faults)
            fields.Fault("deadlines." + field, problem);
        return deadlines;
    }

    private static void CheckGraph(
        string? initial,
        Dictionary<string, WorkflowState> states,
        List<Checkpoint> checkpoints,
        Fields fields
    )
    {
        if (initial is not null && !states.ContainsKey(initial))
            fields.Fault("initial", $"names {initial}, which is no state of this workflow");
        if (initial is not null && states.TryGetValue(initial, out var first) && Phase.IsTerminal(first.Phase))
            fields.Fault("initial", "must not be a state that runs end in");
        if (!states.Values.Any(s => Phase.IsTerminal(s.Phase)))
            fields.Fault("states", "must have a state that runs end in (succeeded, failed, cancelled or timed_out)");
        foreach (var (name, state) in states)
        {
            foreach (var to in state.To.Where(to => !states.ContainsKey(to)))
                fields.Fault($"states.{name}.to", $"names {to}, which is no state of this workflow");
            if (Phase.IsTerminal(state.Phase) && (state.To.Count > 0 || state.Self))
                fields.Fault($"states.{name}.to", $"must be empty: runs end in a state of the phase {state.Phase}");
        }
        if (initial is not null && states.ContainsKey(initial))
        {
            var reached = Reach(initial, states);
            foreach (var name in states.Keys.Where(n => !reached.Contains(n)))
                fields.Fault("states." + name, $"cannot be reached from {initial}");
        }
        for (var i = 0; i < checkpoints.Count; i++)
        {
            if (checkpoints[i].State.Length == 0)
                continue;
            if (!states.TryGetValue(checkpoints[i].State, out var state))
                fields.Fault(
                    $"checkpoints[{i}].state",
                    $"names {checkpoints[i].State}, which is no state of this workflow"
                );
            else if (Phase.IsTerminal(state.Phase))
                fields.Fault($"checkpoints[{i}].state", "must not be a state that runs end in");
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

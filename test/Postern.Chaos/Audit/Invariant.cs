using System.Text.Json;

namespace Postern.Chaos.Audit;

/// <summary>One invariant: how often it was checked, and its violations.</summary>
internal sealed class Invariant(string name)
{
    public string Name => name;
    public int Checked { get; set; }
    public int Broken { get; private set; }

    /// <summary>The first violations, as texts.</summary>
    public List<string> Evidence { get; } = [];

    public void Break(string how)
    {
        Broken++;
        if (Evidence.Count < 50)
            Evidence.Add(how);
    }

    public void Look(bool holds, Func<string> how)
    {
        Checked++;
        if (!holds)
            Break(how());
    }

    public override string ToString() =>
        $"{(Broken == 0 ? "holds" : "BROKEN"), -7} {name}: {Checked:#,0} looked at"
        + (Broken == 0 ? "" : $", {Broken:#,0} broken");
}

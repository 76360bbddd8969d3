using Postern.Deliveries;
using Postern.Runs;

namespace Postern.Sessions;

/// <summary>What is told of internal sessions and of their runs is for administrators, as they are.</summary>
internal sealed class InternalSubjects : HiddenSubjects
{
    public override string IsShown(string table)
    {
        var (project, subject) = (table + ".project", table + ".subject");
        return $"""
            {SessionStore.IsNotInternal(project, subject)}
            AND {SessionStore.IsNotInternal(project, RunStore.SessionOf(project, subject))}
            """;
    }
}

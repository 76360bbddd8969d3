using Postern.Deliveries;
using Postern.Runs;

namespace Postern.Sessions;

/// <summary>
/// Events about internal sessions and their runs are only for administrators, like the sessions themselves.
/// </summary>
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

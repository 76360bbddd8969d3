using System.Runtime.InteropServices;

namespace Postern.Runs;

/// <summary>An agent of a project.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct AgentName(string Project, string Agent);

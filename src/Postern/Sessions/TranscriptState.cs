using System.Runtime.InteropServices;

namespace Postern.Sessions;

/// <summary>The state of a transcript on which its pages depend.</summary>
/// <param name="LastSeq">The number of the newest message; 0 when there is none yet.</param>
/// <param name="Merges">
/// How often results were put into a message that was there (<see cref="ReturnedMessage"/>).</param>
/// <param name="MergedAt">When the session last changed, where results were merged; 0 where none were.</param>
/// <param name="LastId">The id of the newest message: never the same for another one under its number.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct TranscriptState(long LastSeq, long Merges, long MergedAt, string? LastId)
{
    /// <summary>Empty while nothing was merged: then the number of the newest message is enough.</summary>
    public string MergeMark => Merges == 0 ? "" : " merged " + Merges;
}

namespace Postern.Pages;

/// <summary>The findings of the doctor.</summary>
/// <param name="At">When it was looked at, by the database's time.</param>
internal sealed record DoctorReport(long At, IReadOnlyList<DoctorFinding> Findings);

namespace Postern.Pages;

/// <summary>What the doctor has found.</summary>
/// <param name="At">When it was looked at, by the database's time.</param>
internal sealed record DoctorReport(long At, IReadOnlyList<DoctorFinding> Findings);

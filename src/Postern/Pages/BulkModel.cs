using Postern.Bulk;

namespace Postern.Pages;

/// <summary>A bulk job, with the reasons for what it skipped.</summary>
internal sealed record BulkModel(BulkJob Job, IReadOnlyList<SkipCount> Skipped) : IPictured
{
    long IPictured.Revision => Job.Revision;

    string? IPictured.WhyOver => Job.IsOver ? "job_ended" : null;
}

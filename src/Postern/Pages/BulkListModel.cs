using Postern.Bulk;

namespace Postern.Pages;

/// <summary>A page of jobs.</summary>
internal sealed record BulkListModel(IReadOnlyList<BulkJob> Jobs, string? Next);

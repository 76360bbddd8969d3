using Postern.Access;

namespace Postern.Pages;

/// <summary>One row of the audit.</summary>
/// <param name="Door">The door of its route, where there is one.</param>
/// <param name="Beside">What else was refused to the same sender within its minute.</param>
/// <param name="Words">Null for what is no refusal.</param>
internal sealed record AuditRowModel(
    AuditEntry Entry,
    Door? Door,
    IReadOnlyList<AuditEntry> Beside,
    RefusalWords? Words
);

using Postern.Http;

namespace Postern.Sessions;

internal sealed record AppendRecords(
    [Items("The records, in their order.", 1, 1000)] IReadOnlyList<AppendRecord> Records
);

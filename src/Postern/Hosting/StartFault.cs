using System.Data.Common;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>Says in one sentence why a command cannot use its database, and what to do.</summary>
internal static class StartFault
{
    public static string Explain(Exception fault) =>
        fault is StorageUnavailableException { InnerException: DbException inner }
            ? Explain(inner)
            : DatabaseDriver.ExplainAny(fault) ?? fault.Message;
}

using System.Data.Common;
using Postern.Hosting;
using Postern.Settings;
using Postern.Storage;

// Faults that a person has to put right are words on the error stream and exit code 2; anything else is a bug and shows
// itself whole.
try
{
    return await Commands
        .Parse(args)
        .InvokeAsync(new System.CommandLine.InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception fault)
    when (fault
            is SetupException
                or SettingsException
                or SchemaTooNewException
                or MigrationFailedException
                or StorageUnavailableException
                or IOException
                or UnauthorizedAccessException
                or InvalidDataException
                or DbException
    )
{
    Terminal.WriteError("postern: " + StartFault.Explain(fault));
    return 2;
}

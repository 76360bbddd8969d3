using Postern.Settings;

namespace Postern.Hosting;

/// <summary><c>postern console</c>: prints a link that opens the console once.</summary>
internal static class ConsoleCommand
{
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(60);

    public static Task RunAsync(ServeOptions serve, string projectName, string? key, CancellationToken cancel)
    {
        var options = serve.ReadSettings();
        if (!options.Console.Enabled)
            throw new SetupException("The console is off: Postern:Console:Enabled is false.");
        var address = new ServerAddress(options);
        address.ListensOn(ListenUrls.Split(serve.Urls).First());
        return Toolbox.WithAsync(
            serve,
            cancel,
            async tools =>
            {
                var project = await tools.ProjectAsync(projectName);
                var row = key is not null
                    ? await tools.KeyAsync(project, key)
                    : await tools.KeyRows.FindRootAsync(project)
                        ?? throw new SetupException($"The project {projectName} has no root key.");
                Terminal.WriteLine(
                    $"{address.Url}/console/sign-in#{await tools.Consoles.LinkAsync(project, row.Id, Time)}"
                );
            }
        );
    }
}

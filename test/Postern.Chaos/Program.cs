using Postern.Chaos;

Options options;
try
{
    options = Options.Of(args);
}
catch (Exception fault) when (fault is FormatException or OverflowException)
{
    Console.Error.WriteLine(
        $"chaos: {fault.Message}; SEED=n MINUTES=m DATABASE=sqlite|postgres|both|patroni FAULTS=A,B"
    );
    return 2;
}
var held = true;
foreach (var database in options.Databases)
    held &= await new Simulation(options, database).RunAsync();
return held ? 0 : 1;

namespace Postern.Settings;

/// <summary>Thrown with everything that is wrong with the settings: the server does not start.</summary>
internal sealed class SettingsException(IReadOnlyList<string> faults)
    : Exception("The settings cannot be used:\n" + string.Join("\n", faults.Select(f => "  " + f)))
{
    public IReadOnlyList<string> Faults { get; } = faults;
}

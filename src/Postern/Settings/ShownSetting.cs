namespace Postern.Settings;

/// <summary>The value of a setting, for a person.</summary>
/// <param name="Value">In words; of a secret only whether it is set.</param>
/// <param name="IsStandard">It is as it stands by itself.</param>
/// <param name="Description">What it does.</param>
internal sealed record ShownSetting(string Name, string Value, bool IsStandard, string Description);

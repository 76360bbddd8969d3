namespace Postern.Settings;

/// <summary>One setting, from its declaration.</summary>
internal sealed record Setting(string Name, string Default, string Bounds, string Description);

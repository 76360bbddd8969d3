namespace Postern.Settings;

/// <summary>One setting, as its declaration describes it.</summary>
internal sealed record Setting(string Name, string Default, string Bounds, string Words);

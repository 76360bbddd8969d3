using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

/// <summary>A list of classes of doors.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class RelayClassesAttribute : ValidationAttribute
{
    private static readonly string[] Known = ["inbound", "approvals", "pages", "callbacks"];

    public RelayClassesAttribute()
        : base("must be of: " + string.Join(", ", Known)) { }

    public override bool IsValid(object? value) =>
        value is string[] classes && Array.TrueForAll(classes, c => Known.Contains(c, StringComparer.Ordinal));
}

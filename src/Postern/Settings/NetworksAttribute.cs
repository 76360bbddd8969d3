using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

[AttributeUsage(AttributeTargets.Property)]
internal sealed class NetworksAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) =>
        value is string[] list && Array.TrueForAll(list, text => System.Net.IPNetwork.TryParse(text, out _));

    public override string FormatErrorMessage(string name) => "must be networks in CIDR form, comma-separated";
}

using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Postern.Settings;

internal sealed class LogOptions
{
    [Description("Least severe log line that is written: Trace, Debug, Information, Warning, Error or Critical.")]
    [RegularExpression(
        "^(Trace|Debug|Information|Warning|Error|Critical)$",
        ErrorMessage = "must be Trace, Debug, Information, Warning, Error or Critical"
    )]
    public string Level { get; set; } = "Information";

    [Description("How log lines are written: json, one object a line, or text.")]
    [RegularExpression("^(json|text)$", ErrorMessage = "must be json or text")]
    public string Format { get; set; } = "json";
}

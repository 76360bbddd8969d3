using System.Collections;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;

namespace Postern.Settings;

/// <summary>
/// Reads settings by their declarations in <see cref="PosternOptions"/>. Sources, of which the later one wins:
/// <c>postern.json</c> (<c>{"Postern":{"Section":{"Name":…}}}</c>), the environment (<c>POSTERN_Section__Name</c>). A
/// list is a JSON list in the file. In the environment it is one text with commas, or one variable for each item
/// (<c>POSTERN_Section__Name__0</c>). Unknown names are faults, so that a misspelt limit does not silently become the
/// default.
/// </summary>
internal static class SettingsReader
{
    private static readonly JsonDocumentOptions Lenient = new()
    {
        CommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    /// <summary>Names in the environment that are not settings of a section.</summary>
    private static readonly string[] OwnVariables =
    [
        "POSTERN_ROOT_KEY",
        "POSTERN_MASTER_KEY",
        "POSTERN_DATA",
        "POSTERN_URLS",
        "POSTERN_DATABASE",
    ];

    /// <param name="jsonFile">The file of settings; it may be missing.</param>
    /// <param name="environment">All variables; those of other programs are passed over.</param>
    /// <param name="standard">What holds where nothing is said; null: the declarations' own values.</param>
    /// <exception cref="SettingsException"/>
    public static PosternOptions Read(string? jsonFile, IDictionary environment, PosternOptions? standard = null)
    {
        var faults = new List<string>();
        var given = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (jsonFile is not null && File.Exists(jsonFile))
            ReadJson(jsonFile, given, faults);
        foreach (DictionaryEntry entry in environment)
        {
            var name = (string)entry.Key;
            if (
                name.StartsWith("POSTERN_", StringComparison.Ordinal)
                && !OwnVariables.Contains(name, StringComparer.Ordinal)
            )
                given["Postern:" + name["POSTERN_".Length..].Replace("__", ":", StringComparison.Ordinal)] =
                    (string?)entry.Value ?? "";
        }
        var options = standard ?? new PosternOptions();
        Bind(options, "Postern", given, faults);
        foreach (var name in given.Keys)
            faults.Add($"{name} is no setting; see docs/configuration.md");
        if (options.Console.Oidc.Validate() is { } together)
            faults.Add(together);
        return faults.Count == 0 ? options : throw new SettingsException(faults);
    }

    /// <summary>All settings, for the documentation.</summary>
    public static IReadOnlyList<Setting> All { get; } = [.. Describe(new PosternOptions(), "Postern")];

    /// <summary>The unsafe settings that differ from their defaults.</summary>
    public static IEnumerable<string> DangerousIn(PosternOptions options) =>
        DangerousIn(options, new PosternOptions(), "Postern");

    private static IEnumerable<string> DangerousIn(object section, object standard, string prefix)
    {
        foreach (var property in section.GetType().GetProperties())
        {
            var name = $"{prefix}:{property.Name}";
            var (value, usual) = (property.GetValue(section)!, property.GetValue(standard)!);
            if (property.GetCustomAttribute<DescriptionAttribute>() is null)
            {
                foreach (var inner in DangerousIn(value, usual, name))
                    yield return inner;
                continue;
            }
            var isSet = value is string[] list ? list.Length > 0 : !value.Equals(usual);
            if (isSet && property.Name.StartsWith("Dangerous", StringComparison.Ordinal))
                yield return name;
        }
    }

    private static void ReadJson(string file, Dictionary<string, string> given, List<string> faults)
    {
        try
        {
            // By its byte order mark, if there is one: some editors write UTF-16.
            using var json = JsonDocument.Parse(File.ReadAllText(file), Lenient);
            if (json.RootElement.ValueKind == JsonValueKind.Object)
                Flatten(json.RootElement, "");
            else
                faults.Add($"{file} must hold an object, such as {{\"Postern\":{{\"DefaultAgent\":\"echo\"}}}}");
        }
        catch (JsonException fault)
        {
            faults.Add($"{file} is no JSON: {fault.Message}");
        }

        void Flatten(JsonElement value, string name)
        {
            switch (value.ValueKind)
            {
                case JsonValueKind.Object:
                    foreach (var member in value.EnumerateObject())
                        Flatten(member.Value, name.Length == 0 ? member.Name : name + ":" + member.Name);
                    break;
                case JsonValueKind.Array:
                    if (value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String))
                        given[name] = string.Join(",", value.EnumerateArray().Select(item => item.GetString()));
                    else
                        faults.Add($"{name} must be a list of texts");
                    break;
                case JsonValueKind.Null:
                    faults.Add($"{name} is null: leave it out for its default");
                    break;
                default:
                    given[name] = value.ToString();
                    break;
            }
        }
    }

    /// <summary>Takes the names that it knows out of <paramref name="given"/>; the rest is unknown.</summary>
    private static void Bind(object section, string prefix, Dictionary<string, string> given, List<string> faults)
    {
        foreach (var property in section.GetType().GetProperties())
        {
            var name = $"{prefix}:{property.Name}";
            var value = property.GetValue(section)!;
            if (property.GetCustomAttribute<DescriptionAttribute>() is null)
            {
                Bind(value, name, given, faults);
                continue;
            }
            if (value is Dictionary<string, string> table)
            {
                Fill(table, name, given);
                continue;
            }
            if (value is string[] && ItemsOf(name, given) is { } items)
                given[name] = items;
            if (!given.Remove(name, out var text))
                continue;
            if (!TryConvert(text.Trim(), property.PropertyType, out var converted))
            {
                faults.Add(
                    $"{name} = \"{text}\" must be "
                        + $"{(property.PropertyType == typeof(bool) ? "true or false" : "a whole number")}"
                );
                continue;
            }
            foreach (var rule in property.GetCustomAttributes<ValidationAttribute>())
            {
                if (!rule.IsValid(converted))
                    faults.Add($"{name} = \"{text}\" {Describe(rule)}");
            }
            property.SetValue(section, converted);
        }
    }

    private static void Fill(Dictionary<string, string> table, string name, Dictionary<string, string> given)
    {
        foreach (
            var key in given.Keys.Where(k => k.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)).ToList()
        )
        {
            table[key[(name.Length + 1)..]] = given[key];
            given.Remove(key);
        }
    }

    /// <summary>
    /// Returns a list that is given item by item (<c>Name:0</c>, <c>Name:1</c>) as one text, and takes the items out of
    /// <paramref name="given"/>; null when there are none.
    /// </summary>
    private static string? ItemsOf(string name, Dictionary<string, string> given)
    {
        var items = new SortedDictionary<int, string>();
        foreach (
            var key in given.Keys.Where(k => k.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)).ToList()
        )
        {
            if (!int.TryParse(key.AsSpan(name.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var at))
                continue;
            items[at] = given[key];
            given.Remove(key);
        }
        return items.Count == 0 ? null : string.Join(",", items.Values);
    }

    private static bool TryConvert(string text, Type type, out object converted)
    {
        converted = text;
        if (type == typeof(string))
            return true;
        if (type == typeof(string[]))
        {
            converted = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            return true;
        }
        if (
            type == typeof(int)
            && int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
        )
        {
            converted = number;
            return true;
        }
        if (type != typeof(bool) || !bool.TryParse(text, out var flag))
            return false;
        converted = flag;
        return true;
    }

    private static string Describe(ValidationAttribute rule) =>
        rule is RangeAttribute range
            ? $"must be from {range.Minimum} to {range.Maximum}"
            : rule.ErrorMessage ?? rule.FormatErrorMessage("");

    private static IEnumerable<Setting> Describe(object section, string prefix)
    {
        foreach (var property in section.GetType().GetProperties())
        {
            var name = $"{prefix}:{property.Name}";
            var value = property.GetValue(section)!;
            if (property.GetCustomAttribute<DescriptionAttribute>() is { } description)
            {
                yield return new Setting(name, Shown(value), BoundsOf(property), description.Description);
            }
            else
            {
                foreach (var inner in Describe(value, name))
                    yield return inner;
            }
        }
    }

    private static string BoundsOf(PropertyInfo property) =>
        property.GetCustomAttribute<RangeAttribute>() is { } range ? $"{range.Minimum}–{range.Maximum}"
        : property.PropertyType == typeof(bool) ? "true, false"
        : property.PropertyType == typeof(string[]) ? "list"
        : property.PropertyType == typeof(string) ? "text"
        : "table";

    private static string Shown(object value) =>
        value switch
        {
            string[] or Dictionary<string, string> or "" => "(empty)",
            bool flag => flag ? "true" : "false",
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };

    /// <summary>Returns the table of <c>docs/configuration.md</c>.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder(
            "| setting | environment | default | bounds | what it does |\n| --- | --- | --- | --- | --- |\n"
        );
        foreach (var setting in All)
        {
            var variable = "POSTERN_" + setting.Name["Postern:".Length..].Replace(":", "__", StringComparison.Ordinal);
            text.Append(
                $"| `{setting.Name}` | `{variable}` | {setting.Default} | {setting.Bounds} | {setting.Description} |\n"
            );
        }
        return text.ToString();
    }
}

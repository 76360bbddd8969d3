using System.ComponentModel;
using System.Globalization;
using System.Reflection;

namespace Postern.Settings;

/// <summary>
/// The values of the settings, to be shown. Numbers and truth values are shown. A text is hidden when its name says
/// that it is a secret. Of an address, every part that could be a secret is left out: user, password, path, query.
/// </summary>
internal static class ShownSettings
{
    private const string Empty = "(empty)";
    private static readonly string[] Secret = ["secret", "password", "token", "key", "credential", "passphrase"];

    /// <summary>Addresses whose path is public.</summary>
    private static readonly string[] Public = ["Postern:PublicUrl"];

    public static IEnumerable<ShownSetting> Of(PosternOptions options) => Of(options, new PosternOptions(), "Postern");

    private static IEnumerable<ShownSetting> Of(object section, object standard, string prefix)
    {
        foreach (var property in section.GetType().GetProperties())
        {
            var name = $"{prefix}:{property.Name}";
            var (value, usual) = (property.GetValue(section)!, property.GetValue(standard)!);
            if (property.GetCustomAttribute<DescriptionAttribute>() is { } description)
                yield return new ShownSetting(
                    name,
                    Shown(name, value),
                    Plain(value) == Plain(usual),
                    description.Description
                );
            else
                foreach (var inner in Of(value, usual, name))
                    yield return inner;
        }
    }

    private static string Shown(string name, object value)
    {
        switch (value)
        {
            case bool flag:
                return flag ? "true" : "false";
            case IFormattable number:
                return number.ToString(null, CultureInfo.InvariantCulture);
        }
        var plain = Plain(value);
        if (plain.Length == 0)
            return Empty;
        var last = name[(name.LastIndexOf(':') + 1)..];
        if (Array.Exists(Secret, word => last.Contains(word, StringComparison.OrdinalIgnoreCase)))
            return "set; not shown";
        var isPublic = Public.Contains(name, StringComparer.Ordinal);
        return value switch
        {
            string text => Text(text, isPublic),
            IEnumerable<string> list => string.Join(", ", list.Select(text => Text(text, isPublic))),
            IEnumerable<KeyValuePair<string, string>> table => string.Join(
                ", ",
                table.Select(entry => $"{entry.Key} = {Text(entry.Value, isPublic)}")
            ),
            _ => "set; not shown",
        };
    }

    private static string Text(string text, bool isPublic)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Host.Length == 0)
            return text.Contains("://", StringComparison.Ordinal) ? "set; not shown" : text;
        var origin = $"{url.Scheme}://{url.Authority}";
        return url.PathAndQuery == "/" ? origin
            : isPublic ? origin + url.AbsolutePath
            : origin + "/…";
    }

    /// <summary>Returns the text for comparing, never for showing.</summary>
    private static string Plain(object value) =>
        value switch
        {
            IEnumerable<KeyValuePair<string, string>> table => string.Join(
                '\n',
                table.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => e.Key + "\r" + e.Value)
            ),
            IEnumerable<string> list => string.Join('\n', list),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
        };
}

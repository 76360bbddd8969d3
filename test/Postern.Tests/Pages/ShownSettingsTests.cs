using System.ComponentModel;
using Postern.Settings;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The page of settings: it shows all of them, and never a secret, whatever its value.</summary>
public sealed class ShownSettingsTests
{
    private const string Canary = "c4n4ry";

    [Fact]
    public void Every_setting_is_shown_once()
    {
        var shown = ShownSettings.Of(new PosternOptions()).ToList();
        Assert.Equal(SettingsReader.All.Select(s => s.Name), shown.Select(s => s.Name));
        Assert.All(shown, s => Assert.True(s.IsStandard, s.Name));
    }

    /// <summary>
    /// Each setting of type text contains a URL with a secret, if it can be a URL. A setting whose name says that it is
    /// a secret contains only that.
    /// </summary>
    [Fact]
    public async Task No_secret_of_any_setting_is_on_the_page()
    {
        var options = new PosternOptions();
        var texts = 0;
        Fill(options, "Postern");
        Assert.True(texts > 5, $"{texts} texts were found");
        Assert.DoesNotContain(ShownSettings.Of(options), s => s.Value.Contains(Canary, StringComparison.Ordinal));

        await using var server = await TestServer.StartAsync(set: o =>
            o.Telemetry.Endpoint = $"http://user:{Canary}@127.0.0.1:9/{Canary}?key={Canary}"
        );
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "admin");
        var page = await server.SendAsync(HttpMethod.Get, "/console/server", null, null, cookie.Headers);
        Assert.Equal(200, page.Status);
        Assert.Contains("http://127.0.0.1:9/…", System.Net.WebUtility.HtmlDecode(page.Text), StringComparison.Ordinal);
        Assert.DoesNotContain(Canary, page.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("master key for the tests", page.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(server.RootKey, page.Text, StringComparison.Ordinal);

        void Fill(object section, string prefix)
        {
            foreach (var property in section.GetType().GetProperties())
            {
                var value = property.GetValue(section)!;
                var name = $"{prefix}:{property.Name}";
                var isSecret = ((string[])["Secret", "Password", "Token", "Key", "Credential"]).Any(word =>
                    property.Name.Contains(word, StringComparison.Ordinal)
                );
                // Everybody may see the path of the public URL, but not its user name and password.
                var text =
                    isSecret ? Canary
                    : name == "Postern:PublicUrl" ? $"https://user:{Canary}@host.example/base"
                    : $"https://user:{Canary}@host.example/{Canary}?x={Canary}#{Canary}";
                if (value is Dictionary<string, string> table)
                    table["ada"] = text;
                else if (property.PropertyType == typeof(string))
                    property.SetValue(section, text);
                else if (property.PropertyType == typeof(string[]))
                    property.SetValue(section, new[] { text, text });
                else if (!property.PropertyType.IsPrimitive)
                {
                    Assert.Empty(property.GetCustomAttributes(typeof(DescriptionAttribute), false));
                    Fill(value, name);
                    continue;
                }
                texts += property.PropertyType.IsPrimitive ? 0 : 1;
            }
        }
    }

    [Fact]
    public void Changed_settings_are_marked_and_secrets_are_never_shown()
    {
        var options = new PosternOptions { PublicUrl = "https://me:pw@agents.example.com/base" };
        options.Retention.MetricDays = 7;
        var shown = ShownSettings.Of(options).ToDictionary(s => s.Name, StringComparer.Ordinal);
        Assert.Equal("https://agents.example.com/base", shown["Postern:PublicUrl"].Value);
        var days = shown["Postern:Retention:MetricDays"];
        Assert.Equal(("7", false), (days.Value, days.IsStandard));
    }
}

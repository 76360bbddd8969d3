using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>What a person does, and waits for, on a page. It holds on a busy machine too.</summary>
internal static class PageSteps
{
    /// <summary>Presses keys one after the other, when the page is loaded.</summary>
    public static async Task KeysAsync(this IPage page, params IReadOnlyList<string> keys)
    {
        await LoadedAsync(page);
        foreach (var key in keys)
            await page.Keyboard.PressAsync(key);
    }

    /// <summary>
    /// Waits until the page at this address is there. It asks again and again: <c>WaitForURLAsync</c> can miss a
    /// navigation that ends while it begins to listen, and then waits for ever.
    /// </summary>
    /// <param name="url">With <c>*</c> for anything.</param>
    public static async Task ArrivesAsync(this IPage page, string url)
    {
        var pattern = "^" + Regex.Escape(url).Replace("\\*", ".*", StringComparison.Ordinal) + "$";
        var wanted = new Regex(pattern, RegexOptions.None, TimeSpan.FromSeconds(1));
        await Assertions.Expect(page).ToHaveURLAsync(wanted, new() { Timeout = 30_000 });
        await LoadedAsync(page);
    }

    /// <summary>A page without scripts can be asked too, but nothing in it can wait.</summary>
    private static Task LoadedAsync(IPage page) =>
        WaitFor.TrueAsync(async () => await page.EvaluateAsync<string>("() => document.readyState") == "complete");
}

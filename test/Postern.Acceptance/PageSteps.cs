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
        await page.LoadedAsync();
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
        await page.LoadedAsync();
    }

    /// <summary>
    /// Waits until the page is loaded. It asks the page, one without scripts too: <c>WaitForLoadStateAsync</c> can miss
    /// the end of a load just as well.
    /// </summary>
    public static Task LoadedAsync(this IPage page) =>
        WaitFor.TrueAsync(
            async () =>
            {
                try
                {
                    return await page.EvaluateAsync<string>("() => document.readyState") == "complete";
                }
                catch (PlaywrightException)
                {
                    // It is being left for another page.
                    return false;
                }
            },
            TimeSpan.FromSeconds(30)
        );
}

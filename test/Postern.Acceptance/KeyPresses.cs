using Microsoft.Playwright;

namespace Postern.Acceptance;

/// <summary>Keys, as a person presses them: the page is there to look at before.</summary>
internal static class KeyPresses
{
    /// <summary>
    /// Presses keys one after the other. A browser drops those that come before it has painted the page, which a busy
    /// machine does long after the page was loaded.
    /// </summary>
    public static async Task KeysAsync(this IPage page, params IReadOnlyList<string> keys)
    {
        await page.WaitForFunctionAsync("() => performance.getEntriesByName('first-contentful-paint').length > 0");
        await page.EvaluateAsync("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))");
        foreach (var key in keys)
            await page.Keyboard.PressAsync(key);
    }
}

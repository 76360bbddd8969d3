using Deque.AxeCore.Commons;
using Microsoft.Playwright;

namespace Postern.Acceptance;

/// <summary>The accessibility faults of a page that a program can find, by axe-core.</summary>
internal static class Axe
{
    private static readonly string Library = new BundledAxeScriptProvider().GetScript();

    /// <summary>
    /// Runs all rules, and returns each fault with the first elements that have it. It runs inside the page itself:
    /// our pages hold no frames, and a second page to put their results together would take most of the time.
    /// </summary>
    public static async Task<string[]> FaultsAsync(IPage page)
    {
        await page.EvaluateAsync(Library);
        return await page.EvaluateAsync<string[]>(
            """
            async () => {
              if (document.querySelector('iframe, frame')) return ['a frame, whose content axe would not see'];
              const { violations, passes } = await axe.run(document, { resultTypes: ['violations'] });
              if (passes.length === 0) return ['axe found nothing to look at'];
              return violations.map(({ id, help, nodes }) =>
                `${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html).join(' | ')}`);
            }
            """
        );
    }
}

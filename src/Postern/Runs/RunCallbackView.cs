using Postern.Http;

namespace Postern.Runs;

/// <param name="Outcome">null while the run lives, then <c>pending</c>, <c>delivered</c>, or <c>failed: …</c>.</param>
/// <param name="Secret">In the answer that made it, once.</param>
internal sealed record RunCallbackView(
    [Member("The URL that is called when the run has ended.")] string Url,
    [Member("Null while the run lives, then pending, delivered, or failed: and why.")] string? Outcome,
    [Member("What signs the call. In the answer that made the run, once.", MayBeAbsent = true)] string? Secret
);

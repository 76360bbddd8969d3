using Postern.Http;
using Postern.Runs;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>A stuck thing, with the reason.</summary>
/// <param name="Thing">What it is.</param>
/// <param name="Run">The run, where it is one.</param>
/// <param name="Capture">The captured request, where it is one.</param>
/// <param name="Trigger">The trigger that it came through, as scopes name it.</param>
/// <param name="Why">Why it has not ended; null when it has meanwhile.</param>
internal sealed record StuckRow(StuckThing Thing, Run? Run, Capture? Capture, string? Trigger, Why? Why);

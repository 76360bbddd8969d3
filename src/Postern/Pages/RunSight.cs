namespace Postern.Pages;

/// <summary>The parts of a run that somebody may see.</summary>
/// <param name="Deliveries">What was sent about it.</param>
/// <param name="Questions">What it asked of people.</param>
/// <param name="Admin">Also what is hidden from all but administrators.</param>
internal readonly record struct RunSight(bool Deliveries, bool Questions, bool Admin)
{
    public static RunSight Of(PageContext context) =>
        new(context.MayList("deliveries"), context.MayList("approvals"), context.MayAdmin);
}

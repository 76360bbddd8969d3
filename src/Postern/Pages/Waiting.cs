namespace Postern.Pages;

/// <summary>
/// What waits for somebody, as far as the signed-in person may see it; counted up to <see cref="Most"/>.
/// </summary>
/// <param name="Approvals">Questions that nobody has answered.</param>
/// <param name="DeadLetters">Deliveries that were given up.</param>
internal sealed record Waiting(long Approvals, long DeadLetters)
{
    public const long Most = 1000;

    public static Waiting Nothing { get; } = new(0, 0);

    public static string Words(long count) => count >= Most ? Most + "+" : count.ToString();
}

namespace Postern.Deliveries;

/// <summary>The result of one attempt.</summary>
/// <param name="Status">The response's status; null when there was none.</param>
/// <param name="Category">One of <see cref="SendCategory"/>.</param>
/// <param name="Response">The first KiB of the response's body, as text.</param>
/// <param name="RetryAfter">What the receiver asked for.</param>
/// <param name="Directive">The response's header <c>webhook-delivery</c>.</param>
/// <param name="Answer">The body of a 2xx, if the purpose reads it.</param>
/// <param name="Sent">The copy of its body that is kept: see <see cref="PreparedDelivery.Copy"/>.</param>
internal sealed record Attempt(
    long At,
    long DurationMilliseconds,
    int? Status,
    string Category,
    string? Response,
    TimeSpan? RetryAfter = null,
    string? Directive = null,
    SendAnswer? Answer = null,
    byte[]? Sent = null
)
{
    public bool Arrived => Status is >= 200 and < 300;

    /// <summary>Whether another try makes sense: 408, 425, 429, 5xx, and every failure without a response.</summary>
    public bool MayPass =>
        Status is null ? Category != SendCategory.AddressRefused : Status is 408 or 425 or 429 or >= 500;

    /// <summary>Whether the receiver wants nothing more, ever.</summary>
    public bool Disables => Status == 410 || Directive == "disable";

    /// <summary>What went wrong, for people, with the text of the other side.</summary>
    public string Explanation =>
        Status is { } status
            ? $"answered {status}{(string.IsNullOrWhiteSpace(Response) ? "" : ": " + Response)}"
            : Category switch
            {
                SendCategory.Timeout => "did not answer in time",
                SendCategory.Dns => "its name cannot be resolved",
                SendCategory.AddressRefused => Response ?? "its address is refused",
                SendCategory.Failed => "could not be made or stored by the server; its log says why",
                SendCategory.Tls => "its certificate or TLS is not accepted",
                _ => "cannot be reached",
            };
}

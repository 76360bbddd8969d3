namespace Postern.Deliveries;

/// <summary>A number of dead deliveries to one endpoint with the same answer.</summary>
/// <param name="Endpoint">As deliveries name it.</param>
/// <param name="Answer">The last answer: a status, one of <see cref="SendCategory"/>, or <see cref="Unsent"/>.</param>
/// <param name="Count">How many.</param>
/// <param name="First">When the first was made, microseconds.</param>
/// <param name="Last">When the last was made.</param>
internal sealed record DeadSum(string Endpoint, string Answer, long Count, long First, long Last)
{
    /// <summary>The delivery was given up before anything was sent.</summary>
    public const string Unsent = "unsent";

    /// <summary>The answer in words.</summary>
    public string Explanation =>
        Answer switch
        {
            Unsent => "never sent",
            SendCategory.Timeout => "no answer in time",
            SendCategory.Dns => "name not resolved",
            SendCategory.Tls => "TLS not accepted",
            SendCategory.Connection => "not reached",
            SendCategory.AddressRefused => "address refused",
            SendCategory.Failed => "not made or stored here",
            _ when long.TryParse(Answer, out _) => "answered " + Answer,
            _ => Answer.Replace('_', ' '),
        };
}

namespace Postern.Deliveries;

/// <summary>The kinds of results of an attempt.</summary>
internal static class SendCategory
{
    public const string Delivered = "delivered";
    public const string Status = "status";
    public const string Timeout = "timeout";
    public const string Connection = "connection";
    public const string Dns = "dns";
    public const string Tls = "tls";
    public const string AddressRefused = "address_refused";

    /// <summary>The server itself could not make the request, or not store its answer.</summary>
    public const string Failed = "failed";
}

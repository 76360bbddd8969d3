using System.Security.Cryptography;
using System.Text;
using Postern.Http;

namespace Postern.Approvals;

/// <summary>A checked question to a person.</summary>
/// <param name="Asked">The request.</param>
/// <param name="Payload">The bytes of its payload as they came.</param>
/// <param name="PayloadHash">The payload's digest: the request's, or the server's own.</param>
/// <param name="Digest">Of the whole request: by it a repeat without an id is known.</param>
internal sealed record Question(AskApproval Asked, byte[]? Payload, string? PayloadHash, byte[] Digest)
{
    private const long Hour = 3_600_000_000;

    /// <summary>Microseconds.</summary>
    public long ExpiresIn => (long)(Asked.ExpiresInHours * Hour);

    public string Service => Asked.Service ?? Access.ApprovalServices.Default;

    /// <param name="asked">The request; what is wrong with it is left in <paramref name="fields"/>.</param>
    /// <param name="fields">The body that it was read from.</param>
    public static Question Of(AskApproval asked, Fields fields)
    {
        Check(asked, fields);
        var shown = asked.Payload is { } given ? Encoding.UTF8.GetBytes(given.GetRawText()) : null;
        // The digest of the original bytes, so that anybody who shows them can compute it without spelling JSON.
        var hash = asked.PayloadHash ?? (shown is null ? null : Convert.ToHexStringLower(SHA256.HashData(shown)));
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes(Runs.ReportDigest.FormOf(fields.Root)));
        return new Question(asked, shown, hash, digest);
    }

    private static void Check(AskApproval asked, Fields fields)
    {
        var id = asked.ApprovalRequestId;
        if (id is not null && (id.Any(char.IsControl) || string.IsNullOrWhiteSpace(id)))
            fields.Fault("approval_request_id", "must not be blank or hold control characters");
        if (
            asked.ApprovalRequestUrl is { } url
            && !(Uri.TryCreate(url, UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https")
        )
            fields.Fault("approval_request_url", "must be an absolute http or https URL");
        if (asked.ApprovalRequestUrl is not null && id is null)
            fields.Fault(
                "approval_request_url",
                "is for questions that another service asks: give its approval_request_id too"
            );
        // At least a microsecond, so that it can be decided at all.
        if (asked.ExpiresInHours * Hour < 1)
            fields.Fault("expires_in_hours", $"must be a number over 0, at most {AskApproval.MaxHours}");
    }
}

using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Postern.Approvals;
using Postern.Http;
using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>
/// Makes the sealed texts for a person: the question, and how it ended. Characters that hide or turn text are already
/// replaced by their codes here, so that they cannot deceive the viewer of any page.
/// </summary>
internal sealed class PageTexts(ApprovalLinks links)
{
    /// <summary>How many characters of a comment an outcome repeats.</summary>
    private const int MostFeedback = 1_000;

    /// <summary>A payload of more bytes than this is not indented, because most of it would be blanks.</summary>
    private const int MostIndented = 256 * 1024;

    public PageLink LinkOf(string plane, string project, string id) =>
        new("", plane, links.PageOf(project, id), links.SecretOf(project, id));

    /// <summary>An open question with its payload, sealed.</summary>
    public byte[] Question(string plane, Approval asked)
    {
        var shown = Visible.Payload(asked.Payload);
        if (shown is not null && Encoding.UTF8.GetByteCount(shown) > MostIndented)
            shown = Visible.Text(Encoding.UTF8.GetString(asked.Payload!));
        var made = Seal(shown);
        return made.Length <= RelayLimits.Page ? made : Seal(null);

        byte[] Seal(string? payload)
        {
            var question = new ShownQuestion(
                Visible.Text(asked.Agent),
                asked.Round,
                Shown(asked.Title),
                Shown(asked.Description),
                payload,
                payload is null && asked.Payload is not null,
                asked.PayloadHash,
                [.. Choice.Of(asked.Options).Select(c => new ShownChoice(c.Value, Visible.Text(c.Label)))],
                new ShownTimes(Wire.Iso(asked.RequestedAt), Wire.Iso(asked.ExpiresAt))
            );
            var json = JsonSerializer.SerializeToUtf8Bytes(question, ShownQuestion.Json);
            return PageSeal.Seal(
                LinkOf(plane, asked.Project, asked.Id),
                PageSeal.Question,
                Version(JoinedPage.Open),
                json
            );
        }
    }

    /// <summary>How a question ended, or that it is still open, sealed.</summary>
    /// <param name="plane">Where the person has it from.</param>
    /// <param name="approval">The question.</param>
    /// <param name="nonce">Of the answer that this is for; null: for whoever opens the page.</param>
    public SealedOutcome Outcome(string plane, Approval approval, string? nonce)
    {
        var version = approval.IsPending ? JoinedPage.Open : JoinedPage.Ended;
        var outcome = new ShownOutcome(
            approval.Status,
            Shown(approval.Title),
            approval.IsPending ? "It is not decided." : OutcomeWords.Of(approval, approval.Status),
            Short(approval.Feedback),
            approval.DecidedAt is { } at ? Wire.Iso(at) : null,
            nonce
        );
        var json = JsonSerializer.SerializeToUtf8Bytes(outcome, ShownQuestion.Json);
        var link = LinkOf(plane, approval.Project, approval.Id);
        var made = PageSeal.Seal(link, PageSeal.Outcome, Version(version), json);
        return new SealedOutcome(version, Base64Url.EncodeToString(made));
    }

    private static string Version(long version) => version.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static string? Shown(string? text) => text is null ? null : Visible.Text(text);

    private static string? Short(string? text) =>
        Shown(text) is { Length: > MostFeedback } shown ? Wire.Cut(shown, MostFeedback) + "…" : Shown(text);
}

using System.Security.Cryptography;
using System.Text;
using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>
/// Judges the envelopes that a relay hands over, stores them, and gives them to their lanes. Those that arrive together
/// are stored in one transaction. An envelope that no honest relay would send is not stored, nor is any behind it.
/// </summary>
internal sealed class EnvelopeIntake(JoinedPlane plane, PlaneParts parts, PlaneClock clock)
{
    /// <summary>How far in the future an envelope may have been received, in microseconds.</summary>
    private const long Ahead = 300L * 1_000_000;

    /// <summary>What instants of two clocks that were compared once may differ by, in microseconds.</summary>
    private const long Slack = 10L * 1_000_000;

    /// <summary>How long the relay keeps an envelope, in microseconds.</summary>
    public long HeldFor { get; set; } = plane.HeldFor;

    /// <summary>Takes envelopes in the order in which they came.</summary>
    /// <param name="frames">Frames whose signature is the relay's, each with an <see cref="EnvelopeHead"/>.</param>
    /// <param name="answer">Sends an answer that is committed.</param>
    /// <returns>What is wrong with one of them, and the code of the event; null when all is well.</returns>
    public async Task<(string What, string Code)?> TakeAsync(
        IReadOnlyList<Frame> frames,
        Func<EnvelopeHead, PlaneAnswer, Task> answer
    )
    {
        var requests = await OpenAsync(frames);
        var sound = new List<TakenEnvelope>(frames.Count);
        (string, string)? wrong = null;
        for (var i = 0; i < frames.Count && wrong is null; i++)
        {
            var head = (EnvelopeHead)frames[i].Head;
            wrong = WhyWrong(head, requests[i]);
            if (wrong is null)
                sound.Add(new TakenEnvelope(head, requests[i]!, DigestOf(head, requests[i]!)));
        }
        if (sound.Count == 0)
            return wrong;
        var outcomes = await parts.Envelopes.TakeAsync(sound);
        for (var i = 0; i < sound.Count; i++)
            if (await RunAsync(sound[i], outcomes[i], answer) is { } fault)
                return fault;
        return wrong;
    }

    /// <summary>The requests inside; null where none of this plane's keys opens one.</summary>
    private async Task<RelayedRequest?[]> OpenAsync(IReadOnlyList<Frame> frames)
    {
        P256Key[] openers = plane.OldOpen is { } old ? [plane.Open, old] : [plane.Open];
        var requests = new RelayedRequest?[frames.Count];
        // To open one costs half a millisecond of a core.
        await Parallel.ForAsync(
            0,
            frames.Count,
            (i, _) =>
            {
                var head = (EnvelopeHead)frames[i].Head;
                requests[i] = openers
                    .Select(k => EnvelopeSeal.TryOpen(k, head, frames[i].Body.Span))
                    .FirstOrDefault(r => r is not null);
                return ValueTask.CompletedTask;
            }
        );
        return requests;
    }

    /// <summary>What an honest relay would not have sent, and the code of the event; null when all is well.</summary>
    private (string What, string Code)? WhyWrong(EnvelopeHead head, RelayedRequest? request)
    {
        if (head.Relay != plane.Relay || head.Plane != plane.Plane)
            return ("an envelope of another plane", "relay_altered");
        if (request is null)
            return ($"{head.Id} does not open", "relay_altered");
        if (head.Lane != Lane.Of(request.Target))
            return ($"{head.Id} is of another lane", "relay_altered");
        return WhyUntimely(head) is { } untimely ? ($"{head.Id} {untimely}", "relay_backdated") : null;
    }

    /// <summary>
    /// Why the instant at which the relay says that it took an envelope cannot be: it decides which signed messages are
    /// fresh. Null when it can.
    /// </summary>
    private string? WhyUntimely(EnvelopeHead head)
    {
        var (received, now) = (clock.Here(head.ReceivedAt), parts.Database.Now);
        return received < plane.JoinedAt - Slack ? "was received before this server joined"
            : received > now + Ahead ? "was received in the future"
            : received < now - HeldFor - Ahead ? "is older than the relay keeps anything"
            : null;
    }

    private static string DigestOf(EnvelopeHead head, RelayedRequest request) =>
        Convert.ToHexStringLower(
            SHA256.HashData([
                .. Encoding.UTF8.GetBytes($"{head.Seq} {head.ReceivedAt} {head.Lane}\n"),
                .. request.ToBytes(),
            ])
        );

    /// <summary>Has an envelope run, or answers it again. Returns what is wrong with it, as above.</summary>
    private async Task<(string What, string Code)?> RunAsync(
        TakenEnvelope envelope,
        EnvelopeTaken outcome,
        Func<EnvelopeHead, PlaneAnswer, Task> answer
    )
    {
        var head = envelope.Head;
        switch (outcome)
        {
            case EnvelopeTaken.Altered:
                return ($"{head.Id} with other content", "relay_altered");
            case EnvelopeTaken.Answered again:
                await answer(head, again.Answer);
                return null;
            case EnvelopeTaken.Settled settled:
                // It has said that it committed this answer, and asks again: what was kept of it is the status.
                await answer(head, new PlaneAnswer(settled.Status, [], []));
                return null;
            case EnvelopeTaken.Fresh { IsBehind: true }:
                await parts.Events.GapAsync(plane, "relay_disorder", $"{head.Id} seq {head.Seq} came behind its lane");
                break;
        }
        var work = new EnvelopeWork(head, envelope.Request, clock.Here(head.ExpiresAt))
        {
            Answered = kept => answer(head, kept),
        };
        return parts.Lanes.Add(work) ? null : ("more envelopes than a relay opens", "relay_refused");
    }
}

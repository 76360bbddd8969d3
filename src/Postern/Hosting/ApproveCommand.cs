using System.CommandLine;
using Postern.Approvals;
using Postern.Http;
using Postern.Relay.Protocol;

namespace Postern.Hosting;

/// <summary>
/// The command <c>postern approve LINK</c>: shows a question that is sealed at a relay, and decides it, in a terminal.
/// No script in a browser sees the secret of the link.
/// </summary>
internal static class ApproveCommand
{
    private static readonly Option<string?> Decided = new("--decision")
    {
        Description = "approved, request_changes or rejected, without being asked",
        HelpName = "WORD",
    };
    private static readonly Option<string?> Comment = new("--comment")
    {
        Description = "What the agent reads",
        HelpName = "TEXT",
    };
    private static readonly Option<string?> Chosen = new("--option")
    {
        Description = "The number of one of the choices that the question offers",
        HelpName = "N",
    };
    private static readonly Option<string?> Relay = new("--relay")
    {
        Description = "The relay, where the page of the link is on another origin",
        HelpName = "URL",
    };

    public static Command Approve()
    {
        var link = new Argument<string>("link") { Description = "The link to the question" };
        var command = new Command(
            "approve",
            "Show a question that an agent asks through a relay, and decide it. Without --decision it asks you.\n\n"
                + "Example: postern approve 'https://relay.example/approve#pln_…'"
        )
        {
            link,
            Decided,
            Chosen,
            Comment,
            Relay,
        };
        command.SetAction((parsed, cancel) => RunAsync(parsed, parsed.GetValue(link)!, cancel));
        return command;
    }

    private static async Task RunAsync(ParseResult parsed, string text, CancellationToken cancel)
    {
        var link =
            PageLink.TryParse(text)
            ?? throw new SetupException("This is no link to a question: it ends with # and three words behind it.");
        using var client = new PeopleClient(link, RelayOf(link, parsed.GetValue(Relay)));
        var (question, ended) = await client.OpenAsync(cancel);
        if (question is null)
        {
            Show(ended!);
            return;
        }
        Show(question);
        if (Ask(parsed, question) is not { } said)
        {
            Terminal.WriteLine($"Nothing was decided.");
            return;
        }
        var outcome = await client.AnswerAsync(
            nonce => new
            {
                said.Decision,
                option = said.Option is { } at ? question.Options[at].Value : null,
                said.Comment,
                question.PayloadHash,
                at = TimeProvider.System.GetLocalNow().ToString("O"),
                nonce,
            },
            () =>
                Terminal.WriteLine($"Stored: the server that asks is away. Waiting for it; you may stop this command."),
            cancel
        );
        Show(outcome);
        if (outcome.Status != said.Decision)
            throw new SetupException("Your answer was not taken: it had been settled before.");
    }

    /// <summary>Returns the relay of a link: the folder of its page, unless another is named.</summary>
    private static Uri RelayOf(PageLink link, string? named) =>
        Uri.TryCreate(named is null ? link.Url : named.TrimEnd('/') + "/", UriKind.Absolute, out var url)
        && url.Scheme is "https" or "http"
            ? new Uri(url, ".")
            : throw new SetupException("--relay must be an absolute http or https URL.");

    private static void Show(ShownQuestion question)
    {
        var again = question.Round > 1 ? " again" : "";
        Terminal.WriteLine($"The agent {question.Agent} asks{again}:\n\n  {question.Title ?? "May it go on?"}\n");
        if (question.Description is { } description)
            Terminal.WriteLine($"{new TerminalBlock(description)}\n");
        if (question.Payload is { } payload)
            Terminal.WriteLine($"What it is about:\n\n{new TerminalBlock(payload)}\n");
        foreach (var (choice, at) in question.Options.Select((c, i) => (c, i)))
            Terminal.WriteLine($"  {at + 1}  {choice.Label}");
        var (asked, until) = (question.Times.Requested, question.Times.Expires);
        Terminal.WriteLine($"Asked {asked}. It can be answered once, until {until}.");
    }

    private static void Show(ShownOutcome outcome)
    {
        Terminal.WriteLine($"{outcome.Words}");
        if (outcome.Feedback is { Length: > 0 } feedback)
            Terminal.WriteLine($"{new TerminalBlock(feedback)}");
    }

    /// <summary>Returns the answer, from the options or the terminal; null when nothing is decided.</summary>
    private static Said? Ask(ParseResult parsed, ShownQuestion question)
    {
        if (question.PayloadWithheld)
            throw new SetupException(
                "What it is about is too large to be shown here: it can be read and decided in the console."
            );
        if (
            (parsed.GetValue(Decided) is null ? Prompt(parsed, question) : OfOptions(parsed))
            is not { Word.Length: > 0 } typed
        )
            return null;
        if (typed.Comment?.Length > PageStyle.MaxComment)
            throw new SetupException($"The comment has more than {PageStyle.MaxComment} characters.");
        return new Said(
            DecisionOf(typed.Word),
            string.IsNullOrEmpty(typed.Option) ? null : PlaceOf(typed.Option, question),
            string.IsNullOrWhiteSpace(typed.Comment) ? null : typed.Comment.Trim()
        );
    }

    private static Typed OfOptions(ParseResult parsed) =>
        new(parsed.GetValue(Decided)!, parsed.GetValue(Chosen), parsed.GetValue(Comment));

    /// <summary>Asks for what the options do not say. Returns null when the person decides nothing.</summary>
    private static Typed? Prompt(ParseResult parsed, ShownQuestion question)
    {
        if (Console.IsInputRedirected)
            return null;
        var word = Ask("approve, changes, reject, or Enter to decide nothing: ");
        if (word.Length == 0)
            return null;
        // A wrong word is refused before anything else is asked.
        DecisionOf(word);
        var option = parsed.GetValue(Chosen);
        if (option is null && question.Options.Count > 0)
            option = Ask("The number of your choice, or Enter for none: ");
        return new Typed(
            word,
            option,
            parsed.GetValue(Comment) ?? Ask("Comment (the agent reads it), or Enter for none: ")
        );
    }

    private static string DecisionOf(string word) =>
        word is "changes" ? Decision.RequestChanges
        : Decision.Of(word) is { } decision and not Decision.Expired ? decision
        : throw new SetupException("The decision must be approved, request_changes or rejected.");

    private static int PlaceOf(string option, ShownQuestion question) =>
        int.TryParse(option, System.Globalization.NumberStyles.None, null, out var number)
        && number >= 1
        && number <= question.Options.Count
            ? number - 1
            : throw new SetupException("The option must be the number of one of the choices.");

    private static string Ask(string question)
    {
        Terminal.Write($"{question}");
        return Console.ReadLine()?.Trim() ?? "";
    }

    private sealed record Typed(string Word, string? Option, string? Comment);

    private sealed record Said(string Decision, int? Option, string? Comment);
}

using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.AspNetCore.WebUtilities;
using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>
/// The page on which a person is asked. The link's token is in the path. It is valid for one question, and the answer
/// uses it up. Opening the page, as a link preview does, changes nothing. The page needs no script and allows none.
/// Afterwards the link shows the decision, but no longer the question.
/// </summary>
internal sealed class ApprovalPageRoutes(
    ApprovalStore approvals,
    ApprovalDecisions decisions,
    FailedCredentials failed,
    Database database,
    IServiceProvider services,
    ILoggerFactory logs
)
{
    private const int MaxForm = 64 * 1024;
    private const int TokenSegment = 1;
    private const int TokenLength = 43;
    private static readonly string[] Offered = [Decision.Approved, Decision.RequestChanges, Decision.Rejected];

    public void Map(Doors doors)
    {
        var group = doors.Group("/approvals", ApprovalFamily.Instance);
        group
            .Get("/{token}", Credentials.Link, "the question that the link is for", Show)
            .WithSummary("The page of a question")
            .Hide();
        group
            .Post("/{token}", Credentials.Link, "the question that the link is for", Answer)
            .WithSummary("A person's answer")
            .Accepts<string>("application/x-www-form-urlencoded")
            .Hide();
    }

    private Task<IResult> Show(HttpContext http) => WithAsync(http, async approval => await PageAsync(200, approval));

    private Task<IResult> Answer(HttpContext http) =>
        WithAsync(
            http,
            async approval =>
            {
                var (decided, entered, wrong) = await ReadAsync(http, approval);
                if (decided is null)
                    return await PageAsync(400, approval, wrong, entered);
                var outcome = await database.WriteAsync(tx =>
                    decisions.DecideAsync(tx, approval.Project, approval.Id, decided)
                );
                // A redirect to the page itself, so that going back or reloading sends nothing again.
                if (outcome is DecideOutcome.Processed or DecideOutcome.Already)
                    return new SeeOther(http.Request.Path.Value!);
                return await approvals.FindAsync(approval.Project, approval.Id) is { } now
                    ? await PageAsync(
                        outcome is DecideOutcome.Conflict ? 409 : 410,
                        now,
                        "Your answer was not taken: it had been settled before."
                    )
                    : await PageAsync(404, null, "The question is gone.");
            }
        );

    /// <summary>Returns the question of the link, or a page that says that there is none, without the reason.</summary>
    private async Task<IResult> WithAsync(HttpContext http, Func<Approval, Task<IResult>> act)
    {
        try
        {
            if (
                RequestPath.Segment(http, TokenSegment) is { Length: TokenLength } token
                && await approvals.ByLinkAsync(ApprovalLinks.DigestOf(token)) is { } approval
            )
                return await act(approval);
        }
        catch (StorageOutcomeUnknownException)
        {
            return await PageAsync(
                503,
                null,
                "The server lost its database while it stored your answer. "
                    + "Open this page again: it says whether the answer was taken."
            );
        }
        catch (StorageUnavailableException)
        {
            return await PageAsync(
                503,
                null,
                "The server cannot reach its database now. Nothing was taken; try again in a minute."
            );
        }
        var refusal = failed.Refuse(
            http,
            "wrong_link",
            null,
            new Refusal(401, "The link is wrong, incomplete or no longer kept. Ask whoever sent it for another.")
        );
        return await PageAsync(refusal.Status, null, refusal.Message, refused: refusal);
    }

    /// <summary>
    /// Reads the form: every field once, a decision that the page offers, an option that the question has.
    /// </summary>
    private async ValueTask<(Decided? Decided, Entered Entered, string? Wrong)> ReadAsync(
        HttpContext http,
        Approval approval
    )
    {
        if (!(await RequestBody.ReadAsync(http, MaxForm)).Try(out var body, out var tooLarge))
            return (null, Entered.Nothing, tooLarge.Message + ".");
        using (body)
        {
            return FormOf(http.Request, body) is { } form
                ? Read(form, approval)
                : (null, Entered.Nothing, "The form could not be read.");
        }
    }

    /// <summary>Returns every field once, all of them text; null for any other form.</summary>
    private static Dictionary<string, string>? FormOf(HttpRequest request, RequestBody body)
    {
        const string formType = "application/x-www-form-urlencoded";
        var isForm = request.ContentType?.StartsWith(formType, StringComparison.OrdinalIgnoreCase) == true;
        if (!body.Text().Try(out var text, out _) || !isForm)
            return null;
        var form = QueryHelpers.ParseQuery(Encoding.UTF8.GetString(text.Span));
        return
            form.Count > 10
            || form.Any(f => f.Value.Count != 1 || f.Value.ToString().AsSpan().ContainsAny('\0', '\uFFFD'))
            ? null
            : form.ToDictionary(f => f.Key, f => f.Value.ToString(), form.Comparer);
    }

    private static (Decided? Decided, Entered Entered, string? Wrong) Read(
        Dictionary<string, string> form,
        Approval approval
    )
    {
        var option = form.GetValueOrDefault("option", "");
        var comment = form.GetValueOrDefault("comment", "").ReplaceLineEndings("\n").Trim();
        if (comment.Length > PageStyle.MaxComment)
            return (
                null,
                new Entered(Wire.Cut(comment, PageStyle.MaxComment), option),
                $"The comment has more than {PageStyle.MaxComment} characters."
            );
        var entered = new Entered(comment, option);
        var word = form.GetValueOrDefault("decision", "");
        if (!Offered.Contains(word, StringComparer.Ordinal))
            return (null, entered, "Press one of the buttons.");
        byte[]? response = null;
        if (option.Length > 0)
        {
            var choices = Choice.Of(approval.Options);
            var isNumber = int.TryParse(option, System.Globalization.NumberStyles.None, null, out var place);
            if (!isNumber || place >= choices.Count)
                return (null, entered, "The choice is not one of those offered.");
            response = JsonSerializer.SerializeToUtf8Bytes(new { option = choices[place].Value }, Wire.Json);
        }
        var said = comment.Length == 0 ? null : comment;
        return (new Decided(word, "link", "link", said, response), entered, null);
    }

    private async Task<IResult> PageAsync(
        int status,
        Approval? approval,
        string? message = null,
        Entered? entered = null,
        Refusal? refused = null
    )
    {
        await using var renderer = new HtmlRenderer(services, logs);
        var parameters = ParameterView.FromDictionary(
            new Dictionary<string, object?>(StringComparer.Ordinal)
            {
                [nameof(ApprovalPage.Question)] = approval,
                [nameof(ApprovalPage.Status)] = status,
                [nameof(ApprovalPage.Message)] = message,
                [nameof(ApprovalPage.Comment)] = entered?.Comment,
                [nameof(ApprovalPage.Option)] = entered?.Option,
                [nameof(ApprovalPage.Now)] = database.Now,
            }
        );
        var html = await renderer.Dispatcher.InvokeAsync(async () =>
            (await renderer.RenderComponentAsync<ApprovalPage>(parameters)).ToHtmlString()
        );
        return new Html(status, Encoding.UTF8.GetBytes(html), refused);
    }

    private static void Prepare(HttpResponse response)
    {
        var headers = response.Headers;
        headers.ContentSecurityPolicy = PageStyle.Policy;
        headers.XFrameOptions = "DENY";
        headers["X-Robots-Tag"] = "noindex, nofollow";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
    }

    private sealed class Html(int status, byte[] page, Refusal? refused) : IResult
    {
        public async Task ExecuteAsync(HttpContext http)
        {
            Prepare(http.Response);
            http.Response.StatusCode = status;
            if (refused is not null)
                http.Response.Headers.WWWAuthenticate = "Link realm=\"postern\"";
            if (refused?.RetryAfterSeconds is { } seconds)
                http.Response.Headers.RetryAfter = seconds.ToString();
            http.Response.ContentType = "text/html; charset=utf-8";
            http.Response.ContentLength = page.Length;
            await http.Response.Body.WriteAsync(page, http.RequestAborted);
        }
    }

    /// <summary>The values that a person had filled in, shown again with the fault.</summary>
    private sealed record Entered(string Comment, string Option)
    {
        public static Entered Nothing { get; } = new("", "");
    }

    private sealed class SeeOther(string path) : IResult
    {
        public Task ExecuteAsync(HttpContext http)
        {
            Prepare(http.Response);
            http.Response.StatusCode = StatusCodes.Status303SeeOther;
            http.Response.Headers.Location = path;
            return Task.CompletedTask;
        }
    }
}

using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// How a request enters a door. The door's own delegate calls it, after routing has chosen method and path and the
/// server has limited the headers. The steps: 1 odd spellings, 2 a credential in the URL, 3 the credential, 4 the rate,
/// 5 the scope, 6 the handler, which is the first to read the body (except for a signed callback, whose credential
/// depends on the body), 7 for an answer that shows something, once more whether the caller may see it. An authority
/// that ends while the handler reads, waits or works through a batch throws there, and is answered here.
/// </summary>
internal sealed class Gate(
    CredentialReader credentials,
    FailedCredentials failed,
    Rates rates,
    Audit audit,
    AccessWatch access,
    Database database,
    ILogger<Gate> log
)
{
    /// <summary>The parameters of paths that name a locked row; the first one that occurs is used.</summary>
    private static readonly string[] Subjects =
    [
        "session",
        "key",
        "run",
        "trigger",
        "approval",
        "delivery",
        "endpoint",
        "slug",
    ];

    public async Task EnterAsync(HttpContext http, Door door)
    {
        if (Activity.Current is { } span)
        {
            // The pattern, never the path, because a caller may have chosen parts of the path.
            span.DisplayName = $"{door.Method} {door.Path}";
            span.SetTag("http.route", door.Path);
        }
        var use = StorageUse.Begin(new StorageUse(Asker.Request, () => http.RequestAborted));
        try
        {
            var result = await AnswerAsync(http, door, use);
            if (result is Refusal refusal)
                EnsureAudited(http, door, refusal);
            await result.ExecuteAsync(http);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client has gone; nobody is left to answer.
        }
        catch (AuthorityEndedException ended)
        {
            await RefuseEnded(http, door, ended.Reason).ExecuteAsync(http);
        }
        catch (QuotaReachedException full)
        {
            EnsureAudited(http, door, full.Refusal);
            await full.Refusal.ExecuteAsync(http);
        }
        catch (BadHttpRequestException fault)
        {
            await new Refusal(
                fault.StatusCode,
                fault.StatusCode == 413 ? "Request body too large" : "The request is malformed or incomplete"
            ).ExecuteAsync(http);
        }
        catch (StorageUnavailableException fault)
        {
            AccessLog.RouteUnavailable(log, door.Method, door.Path, fault.Message);
            await Unavailable(http.Request, fault).ExecuteAsync(http);
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            AccessLog.RouteFailed(log, door.Method, door.Path, fault);
            await new Refusal(500, "Internal Server Error", "internal_error").ExecuteAsync(http);
        }
        finally
        {
            if (http.Response.StatusCode >= 500)
                database.Tally.Add(Tally.Server, Measure.ServerErrors);
        }
    }

    private async ValueTask<IResult> AnswerAsync(HttpContext http, Door door, StorageUse use)
    {
        // 1 and 2
        if (RequestPath.IsOdd(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget))
            return new Refusal(404, "Not found", "not_found");
        if (http.Request.QueryString.HasValue && await CredentialInUrlAsync(http, door) is { } exposed)
            return exposed;
        if (door.Handler is OpenHandler open)
        {
            use.Subject = SubjectOf(http, http.Request.RouteValues["project"] as string);
            return await open(http);
        }

        // 3
        if (!(await CallerOfAsync(http, door)).Try(out var caller, out var unfit))
            return unfit;
        http.Features.Set<RequestCaller>(caller);
        use.Subject = SubjectOf(http, caller.Project);
        if (MayBeForged(http.Request, caller))
            return new Refusal(
                403,
                "Another site's page may have made this request: send it as JSON, or from this server's own origin.",
                "cross_site"
            );

        // 4
        if (rates.OfCaller(http, caller) is { } slower)
            return slower;

        // 5
        if (door.Authorization.RequiredScope is { } need && !caller.Allows(need))
            return Forbid(http, door, caller);
        return await HandledAsync(http, door, caller);
    }

    private async ValueTask<IResult> HandledAsync(HttpContext http, Door door, ProjectCaller caller)
    {
        // 6
        var result = await ((ProjectHandler)door.Handler)(http, caller);
        if (!caller.ScopeWasChecked && result is not Refusal)
            throw new InvalidOperationException(
                $"{door.Method} {door.Path} answered without having checked its scope "
                    + $"({door.Authorization.Description})."
            );

        // 7
        if (result is Refusal refusal)
            AuditDenial(http, door, caller, refusal);
        else if (IsSafe(http.Request))
            await caller.EnsureStillAllowedAsync();
        else if (door.AuditedAs is { } action && IsAudited(door, caller))
            await audit.ChangedAsync(http, door, caller, action, credentials.AddressOf(http));
        return result;
    }

    /// <summary>A client that speaks as the user is not an operator whose words are kept.</summary>
    private static bool IsAudited(Door door, ProjectCaller caller) =>
        !(caller.Authority.SpeaksAsUser && door.Credentials.HasFlag(Credentials.Operator));

    /// <summary>
    /// Returns whether a browser adds the credential by itself and another site's page may have made the request.
    /// </summary>
    private static bool MayBeForged(HttpRequest request, ProjectCaller caller) =>
        caller.Authority.IsAmbient && !IsSafe(request) && CrossSite.Made(request);

    private async ValueTask<Checked<ProjectCaller>> CallerOfAsync(HttpContext http, Door door)
    {
        await access.EnsureRecentAsync();
        var answer = await credentials.TryAsync(http, door, database.Now);
        if (answer.IsAmbiguous)
            return Refusal.BadRequest(
                "The request carries two credentials that disagree. Send one.",
                "ambiguous_credentials"
            );
        if (answer.Refusal is { } unread)
            return unread;
        return answer.Caller is { } caller ? caller : Refuse(http, door, answer);
    }

    /// <summary>
    /// The writes of this request are about the thing that the path names. Writers about one subject share a part of
    /// the places.
    /// </summary>
    private static string? SubjectOf(HttpContext http, string? project)
    {
        var values = http.Request.RouteValues;
        foreach (var name in Subjects)
            if (values.TryGetValue(name, out var value) && value is string subject)
                return $"{project}/{subject}";
        return null;
    }

    /// <summary>
    /// The text for a fault of the database. When the outcome is unknown, the client is asked to repeat only a request
    /// that is stored once however often it comes.
    /// </summary>
    private static Refusal Unavailable(HttpRequest request, StorageUnavailableException fault)
    {
        if (fault is not StorageOutcomeUnknownException)
            return Refusal.Unavailable(fault.PublicMessage);
        var isOnce =
            HttpMethods.IsPut(request.Method)
            || HttpMethods.IsDelete(request.Method)
            || request.Headers.ContainsKey("Idempotency-Key")
            || request.Headers.ContainsKey("X-Part-Id");
        return isOnce
            ? Refusal.Unavailable(StorageOutcomeUnknownException.MessageToRepeat)
            : Refusal.Unavailable(fault.PublicMessage) with
            {
                RetryAfterSeconds = null,
                ShouldRetry = false,
            };
    }

    private Refusal Refuse(HttpContext http, Door door, CredentialAnswer answer)
    {
        var token = answer.Why is UnfitCredential.BadToken or UnfitCredential.EndedToken;
        return failed.Refuse(
            http,
            answer.Reason,
            answer.KeyId,
            new Refusal(401, door.Family.Unauthorized(answer.Why), "unauthorized")
            {
                ShouldRetry = false,
                // A token of another kind is answered like none. Only the audit says what is wrong with it.
                Challenge =
                    token && answer.Reason == "wrong_kind" ? "Bearer realm=\"postern\", error=\"invalid_token\""
                    : token ? $"Bearer realm=\"postern\", error=\"invalid_token\", reason=\"{answer.Reason}\""
                    : answer.Why == UnfitCredential.Missing ? "Bearer realm=\"postern\", reason=\"missing\""
                    : "Bearer realm=\"postern\"",
            }
        );
    }

    /// <summary>Answers a request whose credential was good at its beginning and has ended since.</summary>
    private Refusal RefuseEnded(HttpContext http, Door door, string reason)
    {
        var caller = (ProjectCaller)http.Features.GetRequiredFeature<RequestCaller>();
        if (reason == StreamEnd.Forbidden)
            return Forbid(http, door, caller);
        audit.Refused(http, door, reason, caller.Authority.LoggedActor, credentials.AddressOf(http));
        return new Refusal(401, door.Family.Unauthorized(caller.Authority.OnceEnded), "unauthorized")
        {
            ShouldRetry = false,
            Challenge = $"Bearer realm=\"postern\", error=\"invalid_token\", reason=\"{reason}\"",
        };
    }

    private static bool IsSafe(HttpRequest request) =>
        HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);

    /// <summary>
    /// Every refusal has an audit row, whose id the answer contains, even a refusal by a handler or a limit.
    /// </summary>
    private void EnsureAudited(HttpContext http, Door door, Refusal refusal)
    {
        if (!RefusalId.IsShownOn(refusal.Status) || http.Features.Get<RefusalId>() is not null)
            return;
        var (caller, address) = (http.Features.Get<RequestCaller>() as ProjectCaller, credentials.AddressOf(http));
        var reason = refusal.Code ?? ProblemFormat.CodeOf(refusal.Status);
        if (refusal.Status == 429)
            audit.Limited(http, door, caller, address, reason);
        else if (caller is not null && refusal.Status == 403)
            audit.Forbidden(http, door, caller, address, reason);
        else
            audit.Refused(http, door, reason, null, address);
    }

    /// <summary>A scope that the handler refused, because it depends on the path, the body or a stored row.</summary>
    private void AuditDenial(HttpContext http, Door door, ProjectCaller caller, Refusal refusal)
    {
        // A handler that knows the reason better has recorded it itself.
        if (http.Features.Get<RefusalId>() is not null)
            return;
        if (refusal.Status == 403 || (refusal.Status == 404 && caller.Denied is not null))
            audit.Forbidden(http, door, caller, credentials.AddressOf(http), caller.Denied?.ToString() ?? refusal.Code);
    }

    private Refusal Forbid(HttpContext http, Door door, ProjectCaller caller)
    {
        audit.Forbidden(http, door, caller, credentials.AddressOf(http));
        return door.Family.Forbidden(door.Authorization.Description);
    }

    private async ValueTask<Refusal?> CredentialInUrlAsync(HttpContext http, Door door)
    {
        var query = http.Request.QueryString.Value!;
        // The code of an identity provider may look like a token.
        var hasToken = !door.IsForCode && query.Contains("=eyJ", StringComparison.Ordinal);
        if (!ApiKey.AppearsIn(Uri.UnescapeDataString(query)) && !hasToken)
            return null;
        // A key is named only when the whole text is right: anybody can write a text with a real key's id. A client
        // that does so is slowed down like one that guesses.
        string? exposed = null;
        if (failed.MayTryAgain(http))
            foreach (var value in http.Request.Query.SelectMany(q => q.Value))
                if (
                    exposed is null
                    && value is not null
                    && await credentials.KeyOfAsync(value, database.Now) is { } grant
                )
                    exposed = grant.Key.Row.Id;
        audit.ExposedInUrl(http, exposed, credentials.AddressOf(http));
        return Refusal.BadRequest(
            "A credential never travels in a URL, where logs keep it. Send it as a header, and rotate this one.",
            "credential_in_url"
        );
    }
}

using System.Buffers.Text;
using System.Text.Json;
using Postern.Access;

namespace Postern.Support;

/// <summary>One way in which the authority of one kind of credential ends.</summary>
/// <param name="Kind">The kind of credential.</param>
/// <param name="Name">What happens to it, in words.</param>
/// <param name="ExtendTurnAsync">Makes one that is good for a request.</param>
/// <param name="Takes">It takes away a right that the request needs: not a way where a door asks for none.</param>
/// <param name="EndsTheTarget">What the request is about ends with it, so that each try needs a scene of its
/// own.</param>
internal sealed record Ending(
    Credentials Kind,
    string Name,
    Func<TimeScene, DoorRequest, Task<Held>> ExtendTurnAsync,
    bool Takes = false,
    bool EndsTheTarget = false
)
{
    public const string Superseded = "superseded";
    public const string SecretDeleted = "secret deleted";

    /// <summary>The ways to end the callers of a door, by the kinds of credential that open it.</summary>
    public static IEnumerable<Ending> Of(Door door)
    {
        // Only the root key, and the one way in which it can end.
        if (door.Authorization.Description.StartsWith("the root key", StringComparison.Ordinal))
            return [new(Credentials.Key, "rotated", HoldRootAsync)];
        var bySecret = (door.Credentials & Credentials.CallbackSecret) != 0;
        return All.Where(e => (e.Kind & door.Credentials) != 0)
            .Where(e => e.Kind != Credentials.CallbackSignature || bySecret == (e.Name == SecretDeleted))
            .Where(e => e.Kind != Credentials.Link || door.Method == "POST");
    }

    private static IReadOnlyList<Ending> All { get; } =
    [
        .. OfKeys(Credentials.Key | Credentials.Operator, "live", key => [("Authorization", "Bearer " + key)]),
        .. OfKeys(Credentials.PersonalKey, "pat", key => [("Authorization", "Bearer " + key)]),
        .. OfKeys(Credentials.InternalKey, "live", key => [("X-Internal-API-Key", key)]),
        .. OfTokens(),
        .. OfRuns(Credentials.RunToken, async s => [("Authorization", "Bearer " + await s.RunTokenAsync())]),
        .. OfRuns(
            Credentials.CallbackToken,
            async s =>
                [
                    .. (await s.ClaimedAsync())
                        .GetProperty("callback")
                        .GetProperty("headers")
                        .EnumerateObject()
                        .Select(h => (h.Name, h.Value.GetString()!)),
                ]
        ),
        new(Credentials.CallbackSecret, "deleted", HoldCallbackSecretAsync),
        new(Credentials.CallbackSignature, SecretDeleted, HoldSigningSecretAsync),
        .. OfRuns(Credentials.CallbackSignature, SignByTokenAsync),
        .. OfConsole(),
        new(
            Credentials.Signature,
            "secret replaced",
            (s, request) => Task.FromResult(new Held(request.Headers, () => ReplaceSecretAsync(s, request))),
            EndsTheTarget: true
        ),
        // A link shows the outcome of its question while that is kept; what ends is the right to answer.
        new(
            Credentials.Link,
            "question settled",
            async (s, _) =>
                new Held(
                    [],
                    async () => await s.OkAsync(HttpMethod.Post, $"/api/v1/runs/{await s.RunAsync()}/cancel", null)
                ),
            EndsTheTarget: true
        ),
    ];

    private static IEnumerable<Ending> OfKeys(Credentials kind, string form, Func<string, (string, string)[]> present)
    {
        yield return new(kind, "revoked", Hold((keys, row, _) => keys.RevokeAsync(row, "test")));
        yield return new(
            kind,
            "narrowed",
            Hold((keys, row, _) => keys.UpdateAsync(row, new KeyChange(Scopes: ["read:tags"]), "test")),
            Takes: true
        );
        yield return new(kind, "rotated", Hold((keys, row, _) => keys.RotateAsync(row, TimeSpan.Zero, "test")));
        yield return new(kind, "expired", Hold((_, _, s) => LaterAsync(s, 31), seconds: 30));

        Func<TimeScene, DoorRequest, Task<Held>> Hold(
            Func<KeyAdmin, KeyRow, TimeScene, Task> end,
            int? seconds = null
        ) =>
            async (s, request) =>
            {
                var keys = s.World.Get<KeyAdmin>();
                var (row, key) = await keys.CreateAsync(
                        s.World.Project,
                        s.Name,
                        form,
                        ScopesOf(request),
                        seconds is { } life ? s.Server.Database.Now + (life * 1_000_000L) : null,
                        "test"
                    )
                    .ValueAsync();
                return new Held(present(key.Text), () => end(keys, row, s));
            };
    }

    private static IEnumerable<Ending> OfConsole()
    {
        yield return new(Credentials.Console, "signed out", Hold((s, _) => SignOutAsync(s)));
        yield return new(
            Credentials.Console,
            "its key revoked",
            Hold((s, key) => s.World.Get<KeyAdmin>().RevokeAsync(key, "test"))
        );
        yield return new(
            Credentials.Console,
            "its key narrowed",
            Hold((s, key) => s.World.Get<KeyAdmin>().UpdateAsync(key, new KeyChange(Scopes: ["read:tags"]), "test")),
            Takes: true
        );
        yield return new(
            Credentials.Console,
            "its key rotated",
            Hold((s, key) => s.World.Get<KeyAdmin>().RotateAsync(key, TimeSpan.Zero, "test"))
        );

        static Func<TimeScene, DoorRequest, Task<Held>> Hold(Func<TimeScene, KeyRow, Task> end) =>
            async (s, request) =>
            {
                var (key, cookie) = await ConsoleCookie.OfAsync(s.Server, ScopesOf(request));
                return new Held(cookie.Headers, () => end(s, key)) { FormToken = cookie.FormToken };
            };
    }

    private static async Task SignOutAsync(TimeScene s)
    {
        var sessions = s.World.Get<ConsoleSessions>();
        foreach (var session in await sessions.ListAsync(s.World.Project, null))
            await sessions.EndAsync(session.Project, session.Id, "test");
    }

    private static IEnumerable<Ending> OfTokens()
    {
        yield return new(Credentials.Token, "revoked", Hold((s, t) => RevokeAsync(s, new { token = t.Text })));
        yield return new(
            Credentials.Token,
            "revoked by its jti",
            Hold((s, t) => RevokeAsync(s, new { jti = JtiOf(t.Text) }))
        );
        yield return new(
            Credentials.Token,
            "revoked by its subject",
            Hold(
                (s, t) =>
                    RevokeAsync(s, new { subject = t.Subject, issuedBefore = s.Server.Clock.GetUtcNow().AddSeconds(2) })
            )
        );
        yield return new(Credentials.Token, "expired", Hold((s, _) => LaterAsync(s, 10 + 30 + 2), seconds: 10));
        yield return new(
            Credentials.Token,
            "parent revoked",
            Hold((s, t) => RevokeAsync(s, new { token = t.Parent }), derived: true)
        );
        yield return new(
            Credentials.Token,
            "parent expired",
            Hold((s, _) => LaterAsync(s, 10 + 30 + 2), seconds: 10, derived: true)
        );
        yield return new(
            Credentials.Token,
            "its key revoked",
            Hold((s, t) => s.World.Get<KeyAdmin>().RevokeAsync(t.Key, "test"))
        );
        yield return new(
            Credentials.Token,
            "its key narrowed",
            Hold((s, t) => s.World.Get<KeyAdmin>().UpdateAsync(t.Key, new KeyChange(Scopes: ["read:tags"]), "test")),
            Takes: true
        );
        yield return new(
            Credentials.Token,
            "its key rotated",
            Hold((s, t) => s.World.Get<KeyAdmin>().RotateAsync(t.Key, TimeSpan.Zero, "test"), derived: true)
        );
        yield return new(
            Credentials.Token,
            "its key expired",
            Hold(
                async (s, t) =>
                {
                    await s
                        .World.Get<KeyAdmin>()
                        .UpdateAsync(t.Key, new KeyChange(ExpiresAt: s.Server.Database.Now + 1_000_000), "test");
                    await LaterAsync(s, 2);
                }
            )
        );

        static Func<TimeScene, DoorRequest, Task<Held>> Hold(
            Func<TimeScene, Minted, Task> end,
            int seconds = 3600,
            bool derived = false
        ) =>
            async (s, request) =>
            {
                var scopes = ScopesOf(request);
                var (row, key) = await s
                    .World.Get<KeyAdmin>()
                    .CreateAsync(s.World.Project, s.Name, "live", scopes, null, "test")
                    .ValueAsync();
                var (tokens, until, subject) = (
                    s.World.Get<Tokens>(),
                    s.Server.Database.Now + (seconds * 1_000_000L),
                    Guid.NewGuid().ToString("N")
                );
                Authority parent = (await s.World.Get<KeyRing>().VerifyAsync(key.Text, s.Server.Database.Now))!;
                var token = (await tokens.DeriveAsync(parent, s.World.Project, scopes, until, person: subject))!;
                var first = token;
                if (derived)
                    token = (
                        await tokens.DeriveAsync(
                            (await tokens.VerifyAsync(first, s.Server.Database.Now)).Grant!,
                            s.World.Project,
                            scopes,
                            s.Server.Database.Now + 3_600_000_000
                        )
                    )!;
                return new Held(
                    [("Authorization", "Bearer " + token)],
                    () => end(s, new Minted(token, first, subject, row))
                );
            };
    }

    private static IEnumerable<Ending> OfRuns(Credentials kind, Func<TimeScene, Task<(string, string)[]>> present) =>
        OfRuns(kind, (s, _) => present(s));

    private static IEnumerable<Ending> OfRuns(
        Credentials kind,
        Func<TimeScene, DoorRequest, Task<(string, string)[]>> present
    )
    {
        yield return new(
            kind,
            "run cancelled",
            Hold(async s => await s.OkAsync(HttpMethod.Post, $"/api/v1/runs/{await s.RunAsync()}/cancel", null)),
            EndsTheTarget: true
        );
        yield return new(
            kind,
            "run ended",
            Hold(async s =>
            {
                // A run that waits for a person ends through the answer.
                if (s.HasAsked)
                    await s.OkAsync(
                        HttpMethod.Post,
                        $"/api/v1/executions/{await s.RunAsync()}/approval-response",
                        new { decision = "rejected" }
                    );
                else
                    await s.OkAsync(
                        HttpMethod.Post,
                        $"/api/v1/runs/{await s.RunAsync()}/status",
                        new { status = "succeeded" }
                    );
            }),
            EndsTheTarget: true
        );
        yield return new(
            kind,
            Superseded,
            Hold(async s =>
            {
                // A run that waits for a person is not handed over before the answer.
                if (s.HasAsked)
                    await s.OkAsync(
                        HttpMethod.Post,
                        $"/api/v1/executions/{await s.RunAsync()}/approval-response",
                        new { decision = "approved" }
                    );
                await LaterAsync(s, s.Lease + 1);
                Assert.Equal(2, (await s.ClaimAsync(5)).GetProperty("run").GetProperty("attempt").GetInt64());
            }),
            EndsTheTarget: true
        );
        yield return new(
            kind,
            "agent removed",
            Hold(s => s.OkAsync(HttpMethod.Delete, $"/api/v1/agents/{s.Name}?force=1", null)),
            EndsTheTarget: true
        );
        if (kind == Credentials.RunToken)
            yield return new(
                kind,
                "revoked",
                Hold(async s => await RevokeAsync(s, new { token = await s.RunTokenAsync() })),
                EndsTheTarget: true
            );

        Func<TimeScene, DoorRequest, Task<Held>> Hold(Func<TimeScene, Task> end) =>
            async (s, request) => new Held(await present(s, request), () => end(s));
    }

    private static async Task<Held> HoldRootAsync(TimeScene s, DoorRequest request)
    {
        var row = (await s.World.Get<KeyStore>().FindRootAsync(s.World.Project))!;
        var rotated = (KeyOutcome.Rotated)await s.World.Get<KeyAdmin>().RotateAsync(row, TimeSpan.Zero, "test");
        return new Held(
            [("Authorization", "Bearer " + rotated.Key.Text)],
            () => s.World.Get<KeyAdmin>().RotateAsync(row, TimeSpan.Zero, "test")
        );
    }

    private static DateTimeOffset NowOf(TimeScene s) =>
        DateTimeOffset.FromUnixTimeMilliseconds(s.Server.Database.Now / 1000);

    /// <summary>A callback's headers, its token as the key of the signature.</summary>
    private static async Task<(string, string)[]> SignByTokenAsync(TimeScene s, DoorRequest request)
    {
        var headers = (await s.ClaimedAsync())
            .GetProperty("callback")
            .GetProperty("headers")
            .EnumerateObject()
            .ToDictionary(h => h.Name, h => h.Value.GetString()!, StringComparer.OrdinalIgnoreCase);
        headers.Remove("X-Callback-Token", out var token);
        var subject = headers.TryGetValue("x-webhook-request-id", out var captured) ? captured : await s.RunAsync();
        return
        [
            .. StandardSigner.Sign(token!, $"{subject}:{s.Name}", request.Bytes, NowOf(s)),
            .. headers.Select(h => (h.Key, h.Value)),
        ];
    }

    private static async Task<Held> HoldSigningSecretAsync(TimeScene s, DoorRequest request)
    {
        await DoorRequests.FreeCallbackSecretsAsync(s);
        var made = await s.OkAsync(HttpMethod.Post, "/api/v1/callback-secrets", null);
        return new Held(
            StandardSigner.Sign(made.String("secret"), $"{await s.RunAsync()}:{s.Name}", request.Bytes, NowOf(s)),
            () => s.OkAsync(HttpMethod.Delete, "/api/v1/callback-secrets/" + made.String("id"), null)
        );
    }

    private static async Task<Held> HoldCallbackSecretAsync(TimeScene s, DoorRequest request)
    {
        await DoorRequests.FreeCallbackSecretsAsync(s);
        var made = await s.OkAsync(HttpMethod.Post, "/api/v1/callback-secrets", null);
        return new Held(
            [("X-Callback-Secret", made.String("secret"))],
            () => s.OkAsync(HttpMethod.Delete, "/api/v1/callback-secrets/" + made.String("id"), null)
        );
    }

    private static Task ReplaceSecretAsync(TimeScene s, DoorRequest request) =>
        request.Path.StartsWith("/inbound", StringComparison.Ordinal)
            ? s.OkAsync(
                HttpMethod.Put,
                $"/api/triggers/{(request.Path.Contains("/user/", StringComparison.Ordinal) ? "user" : "org")}/time"
                    + $"/{s.Name}",
                new { webhookAuth = new { scheme = "sha256", secret = "another secret of the matrix in time" } }
            )
            : s.OkAsync(
                HttpMethod.Put,
                "/api/v1/approval-services/default",
                new { secrets = new[] { "another secret of the matrix in time" } }
            );

    private static Task RevokeAsync(TimeScene s, object what) =>
        s.OkAsync(HttpMethod.Post, "/api/v1/auth/revoke", what);

    private static Task LaterAsync(TimeScene s, int seconds)
    {
        s.Server.Clock.Advance(TimeSpan.FromSeconds(seconds));
        return Task.CompletedTask;
    }

    private static string[] ScopesOf(DoorRequest request) => [request.Scope ?? "read:runs"];

    private static string JtiOf(string token) =>
        JsonSerializer
            .Deserialize<JsonElement>(Base64Url.DecodeFromChars(token.Split('.')[1]))
            .GetProperty("jti")
            .GetString()!;

    private sealed record Minted(string Text, string Parent, string Subject, KeyRow Key);
}

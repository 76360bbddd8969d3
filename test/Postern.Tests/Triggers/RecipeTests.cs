using System.Text.Json.Nodes;
using Postern.Support;

namespace Postern.Tests.Triggers;

/// <summary>The recipes of the documents with the ordinary events of their providers.</summary>
public sealed class RecipeTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("github", "issues.opened", "X-GitHub-Event: issues")]
    [InlineData("gitlab", "issue", "X-Gitlab-Event: Issue Hook")]
    [InlineData("slack", "app_mention", "X-Slack-Retry-Num: 0")]
    [InlineData("stripe", "payment_intent.payment_failed", "User-Agent: Stripe/1.0")]
    [InlineData("linear", "issue", "Linear-Event: Issue")]
    [InlineData("shopify", "orders.create", "X-Shopify-Topic: orders/create")]
    [InlineData("sentry", "issue", "Sentry-Hook-Resource: issue")]
    [InlineData("pagerduty", "incident.triggered", "User-Agent: PagerDuty-Webhook/V3.0")]
    public async Task Its_own_secret_opens_it_and_no_other(string provider, string name, string header)
    {
        var recipe = await Recipe.MakeAsync(_server, provider);
        var (body, parts) = (recipe.Event(name), header.Split(": "));
        foreach (
            var (own, value) in recipe.Sign(body).Where(h => !h.Name.EndsWith("Timestamp", StringComparison.Ordinal))
        )
        {
            Assert.Equal(401, (await recipe.TryAsync(body, [(own, value[..^2] + "00")])).Status);
            Assert.Equal(401, (await recipe.TryAsync(body, [])).Status);
        }
        Assert.False(Recipe.IsFiltered(await recipe.SendAsync(body, (parts[0], parts[1]))));
    }

    [Fact]
    public async Task GitHub()
    {
        var recipe = await Recipe.MakeAsync(_server, "github");
        Task<Answer> SendAsync(string name, Action<JsonNode>? change = null, string id = "d1") =>
            recipe.SendAsync(
                recipe.Event(name, change),
                ("X-GitHub-Event", name.Split('.')[0]),
                ("X-GitHub-Delivery", id)
            );

        Assert.Equal("pong", (await SendAsync("ping")).Json.GetProperty("data").GetProperty("message").GetString());
        var opened = await SendAsync("issues.opened");
        var told = await recipe.ToldAsync(opened);
        Assert.Contains("It breaks when it is full", told, StringComparison.Ordinal);
        Assert.Contains("The disk is full, and then it breaks.", told, StringComparison.Ordinal);

        var comment = await SendAsync("issue_comment.created", id: "d2");
        Assert.Equal(await recipe.SessionAsync(opened), await recipe.SessionAsync(comment));
        Assert.Contains("by bob in acme/app", await recipe.ToldAsync(comment), StringComparison.Ordinal);
        Assert.Contains(
            "Only fix it on the docs branch, please.",
            await recipe.ToldAsync(comment),
            StringComparison.Ordinal
        );

        var another = await SendAsync("issues.opened", e => e["issue"]!["number"] = 9, "d3");
        var elsewhere = await SendAsync("issues.opened", e => e["repository"]!["full_name"] = "acme/other", "d4");
        var review = await SendAsync("pull_request_review_comment.created", id: "d5");
        Assert.Contains("This line says the opposite.", await recipe.ToldAsync(review), StringComparison.Ordinal);
        string[] sessions =
        [
            await recipe.SessionAsync(opened),
            await recipe.SessionAsync(another),
            await recipe.SessionAsync(elsewhere),
            await recipe.SessionAsync(review),
        ];
        Assert.Equal(4, sessions.Distinct().Count());

        // Comments on a pull request, and on its lines, are one conversation.
        var onPull = await SendAsync("issue_comment.created", e => e["issue"]!["number"] = 8, "d10");
        Assert.Equal(sessions[3], await recipe.SessionAsync(onPull));
        var silent = await SendAsync(
            "issues.opened",
            e => (e["issue"]!["number"], e["issue"]!["body"]) = (11, null),
            "d11"
        );
        Assert.EndsWith("(no text)", await recipe.ToldAsync(silent), StringComparison.Ordinal);

        // As a form, which GitHub proposes for a new webhook.
        var form =
            "payload="
            + Uri.EscapeDataString(
                recipe.Event("issue_comment.created", e => e["comment"]!["body"] = "And as a form.")
            );
        var formed = await recipe.SendAsync(
            form,
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("X-GitHub-Event", "issue_comment")
        );
        Assert.Equal(sessions[0], await recipe.SessionAsync(formed));
        Assert.Contains("And as a form.", await recipe.ToldAsync(formed), StringComparison.Ordinal);

        Assert.True(
            Recipe.IsFiltered(await SendAsync("issue_comment.created", e => e["sender"]!["type"] = "Bot", "d6"))
        );
        Assert.True(
            Recipe.IsFiltered(await SendAsync("issue_comment.created", e => e["sender"]!["login"] = "acme-agent", "d7"))
        );
        Assert.True(Recipe.IsFiltered(await SendAsync("issues.opened", e => e["action"] = "labeled", "d8")));
        var again = await SendAsync("issue_comment.created", id: "d2");
        Assert.True(Recipe.IsDuplicate(again));
        Assert.Equal(Recipe.IdOf(comment), Recipe.IdOf(again));
    }

    [Fact]
    public async Task GitLab()
    {
        var recipe = await Recipe.MakeAsync(_server, "gitlab");
        var chain = 0;
        Task<Answer> SendAsync(string name, string key, Action<JsonNode>? change = null) =>
            recipe.SendAsync(
                recipe.Event(name, change),
                ("Idempotency-Key", key),
                ("X-Gitlab-Event-UUID", $"{chain++ / 2}"),
                ("X-Gitlab-Webhook-UUID", Guid.NewGuid().ToString())
            );

        var opened = await SendAsync("issue", "k1");
        Assert.Contains(
            "The disk is full, and then it breaks.",
            await recipe.ToldAsync(opened),
            StringComparison.Ordinal
        );
        var note = await SendAsync("note", "k2");
        Assert.Equal(await recipe.SessionAsync(opened), await recipe.SessionAsync(note));
        Assert.Contains(
            "note by bob in acme/app: It breaks when it is full",
            await recipe.ToldAsync(note),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Only fix it on the docs branch, please.",
            await recipe.ToldAsync(note),
            StringComparison.Ordinal
        );
        var another = await SendAsync("issue", "k3", e => e["object_attributes"]!["iid"] = 24);
        Assert.NotEqual(await recipe.SessionAsync(opened), await recipe.SessionAsync(another));

        Assert.True(Recipe.IsDuplicate(await SendAsync("note", "k2")));
        // Two people write the same text.
        Assert.False(Recipe.IsDuplicate(await SendAsync("note", "k4")));
        Assert.True(Recipe.IsFiltered(await SendAsync("note.merge_request", "k5")));
        Assert.True(
            Recipe.IsFiltered(await SendAsync("issue", "k6", e => e["object_attributes"]!["action"] = "update"))
        );
        Assert.True(Recipe.IsFiltered(await SendAsync("note", "k7", e => e["object_attributes"]!["system"] = true)));
        Assert.True(Recipe.IsFiltered(await SendAsync("note", "k8", e => e["user"]!["username"] = "acme-agent")));
        Assert.False(
            Recipe.IsFiltered(await SendAsync("note", "k9", e => e["object_attributes"]!.AsObject().Remove("action")))
        );
    }

    [Fact]
    public async Task Slack()
    {
        var recipe = await Recipe.MakeAsync(_server, "slack");
        Task<Answer> SendAsync(string name, Action<JsonNode>? change = null) =>
            recipe.SendAsync(recipe.Event(name, change));

        Assert.Equal(
            "{\"challenge\":\"3eZbrw1aBm2rZgRNFdxV2595E9CYxcmmVyUcyVdfnb\"}",
            (await SendAsync("url_verification")).Text
        );
        var mention = await SendAsync("app_mention");
        Assert.Equal("U061F7AUR in C0LAN2Q65 says: <@U0AGENT> deploy A", await recipe.ToldAsync(mention));
        var reply = await SendAsync("app_mention.thread");
        Assert.Equal(await recipe.SessionAsync(mention), await recipe.SessionAsync(reply));

        var stranger = await SendAsync(
            "app_mention",
            e =>
            {
                e["event_id"] = "Ev2";
                (e["event"]!["user"], e["event"]!["ts"], e["event"]!["text"]) = (
                    "U2",
                    "1700000020.000300",
                    "<@U0AGENT> what am I paid"
                );
            }
        );
        Assert.NotEqual(await recipe.SessionAsync(mention), await recipe.SessionAsync(stranger));
        var channel = await SendAsync("app_mention", e => (e["event_id"], e["event"]!["channel"]) = ("Ev3", "C2"));
        Assert.NotEqual(await recipe.SessionAsync(mention), await recipe.SessionAsync(channel));

        var direct = await SendAsync("message.im");
        var answered = await SendAsync(
            "message.im",
            e =>
                (e["event_id"], e["event"]!["ts"], e["event"]!["thread_ts"]) = (
                    "Ev4",
                    "1700000030.000300",
                    "1700000020.000300"
                )
        );
        Assert.Equal(await recipe.SessionAsync(direct), await recipe.SessionAsync(answered));
        var file = await SendAsync(
            "message.im",
            e =>
            {
                (e["event_id"], e["event"]!["subtype"], e["event"]!["ts"]) = ("Ev7", "file_share", "1700000040.000300");
                e["event"]!["text"] = "";
            }
        );
        Assert.EndsWith("says: (no text)", await recipe.ToldAsync(file), StringComparison.Ordinal);
        Assert.NotEqual(await recipe.SessionAsync(direct), await recipe.SessionAsync(file));
        Assert.True(Recipe.IsFiltered(await SendAsync("message.bot")));
        Assert.True(
            Recipe.IsFiltered(
                await SendAsync("message.im", e => (e["event_id"], e["event"]!["subtype"]) = ("Ev5", "message_changed"))
            )
        );
        Assert.True(
            Recipe.IsFiltered(
                await SendAsync("message.im", e => (e["event_id"], e["event"]!["channel_type"]) = ("Ev6", "channel"))
            )
        );

        // A retry has a new signature.
        _server.Clock.Advance(TimeSpan.FromSeconds(10));
        var again = await recipe.SendAsync(
            recipe.Event("app_mention"),
            ("X-Slack-Retry-Num", "1"),
            ("X-Slack-Retry-Reason", "http_timeout")
        );
        Assert.Equal((true, Recipe.IdOf(mention)), (Recipe.IsDuplicate(again), Recipe.IdOf(again)));
    }

    [Fact]
    public async Task Stripe()
    {
        var recipe = await Recipe.MakeAsync(_server, "stripe");
        Task<Answer> SendAsync(string name, Action<JsonNode>? change = null) =>
            recipe.SendAsync(recipe.Event(name, change));

        var failed = await SendAsync("payment_intent.payment_failed");
        Assert.Equal(
            "payment_intent.payment_failed of 4200 eur for cus_NffrFeUfNV2Hib: Your card has insufficient funds.",
            await recipe.ToldAsync(failed)
        );
        var invoice = await SendAsync("invoice.payment_failed");
        Assert.Equal(await recipe.SessionAsync(failed), await recipe.SessionAsync(invoice));
        Assert.Equal(
            "invoice.payment_failed of 9900 eur for cus_NffrFeUfNV2Hib: no reason given",
            await recipe.ToldAsync(invoice)
        );

        Task<Answer> GuestAsync(string evt, string payment, bool isAbsent) =>
            SendAsync(
                "payment_intent.payment_failed",
                e =>
                {
                    (e["id"], e["data"]!["object"]!["id"]) = (evt, payment);
                    if (isAbsent)
                        e["data"]!["object"]!.AsObject().Remove("customer");
                    else
                        e["data"]!["object"]!["customer"] = null;
                }
            );
        var (one, two) = (await GuestAsync("evt_2", "pi_2", false), await GuestAsync("evt_3", "pi_3", true));
        Assert.NotEqual(await recipe.SessionAsync(one), await recipe.SessionAsync(two));
        Assert.Contains("for a guest", await recipe.ToldAsync(one), StringComparison.Ordinal);
        Assert.Equal(
            await recipe.SessionAsync(one),
            await recipe.SessionAsync(await GuestAsync("evt_4", "pi_2", false))
        );

        Assert.True(
            Recipe.IsFiltered(
                await SendAsync("invoice.payment_failed", e => (e["id"], e["type"]) = ("evt_5", "invoice.paid"))
            )
        );
        _server.Clock.Advance(TimeSpan.FromHours(3));
        var again = await SendAsync("payment_intent.payment_failed");
        Assert.Equal((true, Recipe.IdOf(failed)), (Recipe.IsDuplicate(again), Recipe.IdOf(again)));
    }

    [Fact]
    public async Task Linear()
    {
        var recipe = await Recipe.MakeAsync(_server, "linear");
        Task<Answer> SendAsync(string name, string id, Action<JsonNode>? change = null) =>
            recipe.SendAsync(recipe.Event(name, change), ("Linear-Delivery", id));

        var made = await SendAsync("issue", "d1");
        Assert.Contains(
            "The disk is full, and then it breaks.",
            await recipe.ToldAsync(made),
            StringComparison.Ordinal
        );
        var comment = await SendAsync("comment", "d2");
        Assert.Equal(await recipe.SessionAsync(made), await recipe.SessionAsync(comment));
        Assert.Equal(
            "Comment by Bob: It breaks when it is full\n\nOnly fix it on the docs branch, please.",
            await recipe.ToldAsync(comment)
        );
        var another = await SendAsync("issue", "d3", e => e["data"]!["id"] = "another");
        Assert.NotEqual(await recipe.SessionAsync(made), await recipe.SessionAsync(another));

        Assert.True(Recipe.IsDuplicate(await SendAsync("comment", "d2", e => e["webhookTimestamp"] = 1700000060000)));
        // Two events with the same body are two.
        Assert.False(Recipe.IsDuplicate(await SendAsync("comment", "d4")));
        var update = await SendAsync(
            "comment",
            "d9",
            e =>
            {
                e["data"]!.AsObject().Remove("issue");
                e["data"]!.AsObject().Remove("issueId");
                e["data"]!["projectUpdateId"] = "pu1";
            }
        );
        Assert.NotEqual(await recipe.SessionAsync(made), await recipe.SessionAsync(update));
        Assert.True(Recipe.IsFiltered(await SendAsync("issue", "d5", e => e["action"] = "update")));
        Assert.True(Recipe.IsFiltered(await SendAsync("comment", "d6", e => e["actor"]!["type"] = "OauthClient")));
        Assert.True(Recipe.IsFiltered(await SendAsync("comment", "d7", e => e["actor"]!["name"] = "Acme Agent")));
        Assert.True(Recipe.IsFiltered(await SendAsync("issue", "d8", e => e["type"] = "Project")));
    }

    [Fact]
    public async Task Shopify()
    {
        var recipe = await Recipe.MakeAsync(_server, "shopify");
        Task<Answer> SendAsync(
            Action<JsonNode>? change = null,
            string topic = "orders/create",
            string shop = "acme.myshopify.com"
        ) =>
            recipe.SendAsync(
                recipe.Event("orders.create", change),
                ("X-Shopify-Topic", topic),
                ("X-Shopify-Shop-Domain", shop),
                ("X-Shopify-Webhook-Id", Guid.NewGuid().ToString())
            );

        var order = await SendAsync();
        Assert.Equal(
            "orders/create #9999 of 388.00 USD in acme.myshopify.com by jon@example.com\n\nPlease ring twice.",
            await recipe.ToldAsync(order)
        );
        var cancelled = await SendAsync(e => e["cancelled_at"] = "2026-03-01T13:00:00-05:00", "orders/cancelled");
        Assert.Equal(await recipe.SessionAsync(order), await recipe.SessionAsync(cancelled));
        Task<Answer> GuestAsync(long id) => SendAsync(e => (e["id"], e["customer"], e["email"]) = (id, null, ""));
        var (one, two) = (await GuestAsync(1), await GuestAsync(2));
        Assert.NotEqual(await recipe.SessionAsync(one), await recipe.SessionAsync(two));
        Assert.Contains("by a guest", await recipe.ToldAsync(one), StringComparison.Ordinal);
        var elsewhere = await SendAsync(e => e["name"] = "#1", shop: "other.myshopify.com");
        Assert.NotEqual(await recipe.SessionAsync(order), await recipe.SessionAsync(elsewhere));

        Assert.True(Recipe.IsFiltered(await SendAsync(e => e["id"] = 3, "orders/updated")));
        Assert.True(Recipe.IsFiltered(await SendAsync(e => e["test"] = true)));
        Assert.True(Recipe.IsDuplicate(await SendAsync()));
    }

    [Fact]
    public async Task Sentry()
    {
        var recipe = await Recipe.MakeAsync(_server, "sentry");
        Task<Answer> SendAsync(string name, Action<JsonNode>? change = null) =>
            recipe.SendAsync(recipe.Event(name, change), ("Sentry-Hook-Resource", name));

        var made = await SendAsync("issue");
        Assert.StartsWith(
            "issue created: ReferenceError: heck is not defined\n\n?(runner)\nhttps://",
            await recipe.ToldAsync(made),
            StringComparison.Ordinal
        );
        var alert = await SendAsync("event_alert");
        var comment = await SendAsync("comment");
        Assert.Equal(await recipe.SessionAsync(made), await recipe.SessionAsync(alert));
        Assert.Equal(await recipe.SessionAsync(made), await recipe.SessionAsync(comment));
        Assert.Contains(
            "Only fix it on the docs branch, please.",
            await recipe.ToldAsync(comment),
            StringComparison.Ordinal
        );
        var another = await SendAsync("issue", e => e["data"]!["issue"]!["id"] = "2");
        Assert.NotEqual(await recipe.SessionAsync(made), await recipe.SessionAsync(another));

        Assert.True(Recipe.IsFiltered(await SendAsync("issue", e => e["action"] = "resolved")));
        Assert.True(Recipe.IsFiltered(await SendAsync("comment", e => e["actor"]!["name"] = "acme-agent")));
        var installed = recipe.Event("issue");
        Assert.True(
            Recipe.IsFiltered(
                await recipe.SendAsync(
                    installed.Replace("heck", "installed", StringComparison.Ordinal),
                    ("Sentry-Hook-Resource", "installation")
                )
            )
        );
        Assert.True(Recipe.IsDuplicate(await SendAsync("comment")));
    }

    [Fact]
    public async Task PagerDuty()
    {
        var recipe = await Recipe.MakeAsync(_server, "pagerduty");
        Task<Answer> SendAsync(string name, Action<JsonNode>? change = null) =>
            recipe.SendAsync(recipe.Event(name, change));

        Assert.True(Recipe.IsFiltered(await SendAsync("pagey.ping")));
        var triggered = await SendAsync("incident.triggered");
        Assert.Equal(
            "incident.triggered: A little bump in the road (API Service)\n\nhttps://acme.pagerduty.com/incidents"
                + "/PGR0VU2",
            await recipe.ToldAsync(triggered)
        );
        var note = await SendAsync("incident.annotated");
        Assert.Equal(await recipe.SessionAsync(triggered), await recipe.SessionAsync(note));
        Assert.Contains(
            "Only fix it on the docs branch, please.",
            await recipe.ToldAsync(note),
            StringComparison.Ordinal
        );
        var another = await SendAsync(
            "incident.triggered",
            e => (e["event"]!["id"], e["event"]!["data"]!["id"]) = ("02", "P2")
        );
        Assert.NotEqual(await recipe.SessionAsync(triggered), await recipe.SessionAsync(another));

        Assert.True(
            Recipe.IsFiltered(await SendAsync("incident.annotated", e => e["event"]!["agent"]!["id"] = "PACME01"))
        );
        Assert.True(
            Recipe.IsFiltered(
                await SendAsync("incident.triggered", e => e["event"]!["event_type"] = "incident.resolved")
            )
        );
        // An event without an actor has no agent.
        Assert.False(
            Recipe.IsFiltered(
                await SendAsync("incident.triggered", e => (e["event"]!["id"], e["event"]!["agent"]) = ("03", null))
            )
        );
        Assert.True(Recipe.IsDuplicate(await SendAsync("incident.annotated")));
    }
}

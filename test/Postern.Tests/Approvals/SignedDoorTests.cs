using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Postern.Support;

namespace Postern.Tests.Approvals;

/// <summary>
/// Decisions from outside: the answers of the contract, the forms of signatures, which secret decides what, and that
/// only a listed word approves.
/// </summary>
public sealed class SignedDoorTests : ApprovalTest
{
    [Fact]
    public async Task It_is_off_until_a_secret_is_configured_and_when_it_is_taken_away()
    {
        await using var bare = await TestServer.StartAsync();
        var body = "{\"requestId\":\"x\",\"decision\":\"approved\"}";
        var off = await bare.SendAsync(HttpMethod.Post, Door, null, body, Asking.Sign(body));
        Assert.Equal((503, "{\"error\":\"approval webhook not configured\"}"), (off.Status, off.Text));
        Assert.Equal(404, (await _asking.SendAsync(body)).Status);
        Assert.Equal(
            204,
            (await _server.SendAsync(HttpMethod.Delete, "/api/v1/approval-services/default", _server.RootKey)).Status
        );
        Assert.Equal(503, (await _asking.SendAsync(body)).Status);
    }

    [Theory]
    [InlineData("approved", "approved", "running")]
    [InlineData(" Approve ", "approved", "running")]
    [InlineData("CONTINUE", "approved", "running")]
    [InlineData("confirm", "approved", "running")]
    [InlineData("rejected", "rejected", "cancelled")]
    [InlineData("reject", "rejected", "cancelled")]
    [InlineData("deny", "rejected", "cancelled")]
    [InlineData("abort", "rejected", "cancelled")]
    [InlineData("cancel", "rejected", "cancelled")]
    [InlineData("request_changes", "request_changes", "running")]
    [InlineData("expired", "expired", "cancelled")]
    public async Task The_first_decision_wins_and_the_others_are_told(string said, string decision, string status)
    {
        var (run, _, request) = await _asking.WaitingAsync();
        var won = await _asking.DecideAsync(request, said, "because");
        Assert.Equal(
            (
                200,
                Compact(
                    new
                    {
                        status = "processed",
                        execution_id = run,
                        decision,
                        new_status = status,
                    }
                )
            ),
            (won.Status, won.Text)
        );
        var again = await _asking.DecideAsync(request, decision, "once more");
        Assert.Equal(
            (
                200,
                Compact(
                    new
                    {
                        status = "already_processed",
                        execution_id = run,
                        current_status = status,
                        approval_status = decision,
                    }
                )
            ),
            (again.Status, again.Text)
        );
        var other = await _asking.DecideAsync(request, decision == "approved" ? "rejected" : "approved");
        if (decision == "expired")
            Assert.Equal((410, "{\"error\":\"approval_expired\"}"), (other.Status, other.Text));
        else
        {
            Assert.Equal(
                (409, "decision_conflict", decision),
                (other.Status, other.String("error"), other.String("approval_status"))
            );
            Assert.Equal(["error", "approval_status", "decided_at"], other.Json.EnumerateObject().Select(m => m.Name));
        }

        var kept = await _asking.StatusAsync(run);
        Assert.Equal(
            (decision, "because", "default"),
            (
                kept.GetProperty("status").GetString(),
                kept.GetProperty("feedback").GetString(),
                kept.GetProperty("decided_by").GetString()
            )
        );
        Assert.True(kept.TryGetProperty("responded_at", out _));
        var events = await _asking.EventsAsync(run);
        var answer = events.Single(e => e.GetProperty("type").GetString() == "approval_decided");
        Assert.Equal(
            (decision, "because", "service", "default"),
            (
                answer.GetProperty("detail").GetProperty("decision").GetString(),
                answer.GetProperty("detail").GetProperty("feedback").GetString(),
                answer.GetProperty("credential").GetString(),
                answer.GetProperty("actor").GetString()
            )
        );
        Assert.Equal(
            "decision_conflict",
            events.Single(e => e.GetProperty("type").GetString() == "approval_decision").GetProperty("code").GetString()
        );
        Assert.Equal(status, (await _asking.RunAsync(run)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_refusal_ends_the_run_with_its_reason_or_lets_it_go_on_when_it_asked_so()
    {
        var (run, _, request) = await _asking.WaitingAsync();
        await _asking.DecideAsync(request, "reject", "not on a Friday");
        Assert.Equal(
            "The approval was rejected: not on a Friday",
            (await _asking.RunAsync(run)).GetProperty("reason").GetString()
        );
        foreach (var refusal in (string[])["rejected", "expired"])
        {
            var (on, token, second) = await _asking.WaitingAsync(new { on_reject = "continue" });
            Assert.Equal("running", (await _asking.DecideAsync(second, refusal, "no")).String("new_status"));
            Assert.Equal(
                (refusal, "no"),
                (
                    (await _asking.StatusAsync(on)).GetProperty("status").GetString(),
                    (await _asking.StatusAsync(on)).GetProperty("feedback").GetString()
                )
            );
            Assert.Equal(
                200,
                (await _server.PostAsync($"/api/v1/runs/{on}/status", new { status = "succeeded" }, token)).Status
            );
        }
    }

    [Fact]
    public async Task An_envelope_is_read_like_the_flat_form()
    {
        var (run, _, request) = await _asking.WaitingAsync();
        var answer = await _asking.SendAsync(
            JsonSerializer.Serialize(
                new
                {
                    id = "evt",
                    type = "response.submitted",
                    createdAt = "2026-01-01T00:00:00Z",
                    data = new
                    {
                        requestId = request,
                        response = new
                        {
                            action = "Approve",
                            feedback = "fine",
                            amount = 12.50m,
                        },
                    },
                }
            )
        );
        Assert.Equal((200, "approved"), (answer.Status, answer.String("decision")));
        var kept = await _asking.StatusAsync(run);
        Assert.Equal(
            ("fine", "{\"action\":\"Approve\",\"feedback\":\"fine\",\"amount\":12.50}"),
            (kept.GetProperty("feedback").GetString(), kept.GetProperty("response").GetRawText())
        );
        var (expired, _, second) = await _asking.WaitingAsync();
        Assert.Equal(
            "expired",
            (
                await _asking.SendAsync(
                    JsonSerializer.Serialize(
                        new
                        {
                            id = "e",
                            type = "expired",
                            data = new { requestId = second },
                        }
                    )
                )
            ).String("decision")
        );
        Assert.Equal("The approval expired.", (await _asking.RunAsync(expired)).GetProperty("reason").GetString());
    }

    [Theory]
    [InlineData("", "invalid payload: the body is empty")]
    [InlineData("{", "invalid payload: the body is not strict JSON in UTF-8")]
    [InlineData("[]", "invalid payload: the body is not an object")]
    [InlineData(
        "{\"requestId\":\"R\",\"decision\":\"approved\",\"decision\":\"approved\"}",
        "invalid payload: the body is not strict JSON in UTF-8"
    )]
    [InlineData("{\"decision\":\"approved\"}", "requestId is required")]
    [InlineData("{\"requestId\":\" \",\"decision\":\"approved\"}", "requestId is required")]
    [InlineData("{\"requestId\":7,\"decision\":\"approved\"}", "requestId is required")]
    [InlineData(
        "{\"requestId\":\"R\",\"data\":{\"requestId\":\"other\",\"response\":{\"decision\":\"approved\"}}}",
        "requestId is required"
    )]
    [InlineData(
        "{\"requestId\":\"R\"}",
        "invalid decision ''; must be approved, rejected, request_changes, or expired"
    )]
    [InlineData(
        "{\"requestId\":\"R\",\"decision\":null}",
        "invalid decision ''; must be approved, rejected, request_changes, or expired"
    )]
    [InlineData(
        "{\"requestId\":\"R\",\"decision\":true}",
        "invalid decision 'true'; must be approved, rejected, request_changes, or expired"
    )]
    [InlineData(
        "{\"requestId\":\"R\",\"decision\":\"yes\"}",
        "invalid decision 'yes'; must be approved, rejected, request_changes, or expired"
    )]
    [InlineData(
        "{\"requestId\":\"R\",\"decision\":[\"approved\"]}",
        "invalid decision '[\"approved\"]'; must be approved, rejected, request_changes, or expired"
    )]
    [InlineData(
        "{\"requestId\":\"R\",\"decision\":\"cancelled\"}",
        "invalid decision 'cancelled'; must be approved, rejected, request_changes, or expired"
    )]
    [InlineData(
        "{\"type\":\"approved\",\"data\":{\"requestId\":\"R\"}}",
        "invalid decision ''; must be approved, rejected, request_changes, or expired"
    )]
    [InlineData(
        "{\"type\":\"completed\",\"data\":{\"requestId\":\"R\",\"response\":{}}}",
        "invalid decision ''; must be approved, rejected, request_changes, or expired"
    )]
    [InlineData(
        "{\"type\":\"expired\",\"data\":{\"requestId\":\"R\",\"response\":{\"decision\":\"approved\"}}}",
        "invalid payload: it says both expired and approved"
    )]
    [InlineData(
        "{\"data\":{\"requestId\":\"R\",\"response\":{\"decision\":\"rejected\",\"action\":\"approve\"}}}",
        "invalid payload: it says both rejected and approved"
    )]
    [InlineData(
        "{\"requestId\":\"R\",\"decision\":\"approved\",\"data\":{\"response\":{\"decision\":\"rejected\"}}}",
        "invalid payload: it says both approved and rejected"
    )]
    [InlineData(
        "{\"requestId\":\"R\",\"decision\":\"approved\",\"response\":{\"decision\":\"deny\"}}",
        "invalid payload: it says both approved and rejected"
    )]
    [InlineData(
        "{\"data\":{\"requestId\":\"R\",\"response\":\"approved\"}}",
        "invalid payload: data.response is not an object"
    )]
    [InlineData(
        "{\"requestId\":\"R\",\"decision\":\"approved\",\"data\":[]}",
        "invalid payload: data is not an object"
    )]
    [InlineData(
        "{\"requestId\":\"R\",\"decision\":\"approved\",\"feedback\":{}}",
        "invalid payload: feedback is not a text of at most 65536 characters"
    )]
    [InlineData(
        "{\"requestId\":\"R\",\"decision\":\"approved\",\"payload_hash\":1}",
        "invalid payload: payload_hash is not one text"
    )]
    public async Task An_unclear_decision_is_refused_with_the_reason(string body, string error)
    {
        var (run, _, request) = await _asking.WaitingAsync();
        var refused = await _asking.SendAsync(
            body.Replace("\"R\"", JsonSerializer.Serialize(request), StringComparison.Ordinal)
        );
        Assert.Equal((400, error), (refused.Status, refused.String("error")));
        Assert.Equal("waiting", (await _asking.RunAsync(run)).GetProperty("phase").GetString());
    }

    /// <summary>
    /// Thousands of bodies, with something wrong at each place of a decision. The run continues only if every place
    /// that is present contains a listed word that approves.
    /// </summary>
    [Fact]
    public async Task Nothing_but_a_listed_word_approves()
    {
        string[] approving = ["approved", "approve", "continue", "confirm"];
        var words = Gen.Elements("\"approved\"", "\" Approve\"", "\"continue\"", "\"CONFIRM\"");
        var odd = Gen.Elements(
            "null",
            "true",
            "false",
            "0",
            "1",
            "\"\"",
            "\" \"",
            "[]",
            "{}",
            "\"approved\"",
            "\"APPROVE\"",
            "\"  confirm\\n\"",
            "\"continue\"",
            "\"approved.\"",
            "\"approvedx\"",
            "\"approve d\"",
            "\"\\u0061pproved\"",
            "\"\u0430pproved\"",
            "\"yes\"",
            "\"ok\"",
            "\"true\"",
            "\"1\"",
            "[\"approved\"]",
            "{\"decision\":\"approved\"}",
            "{\"approved\":true}",
            "\"rejected\"",
            "\"deny\"",
            "\"request_changes\"",
            "\"expired\"",
            "\"cancelled\"",
            "\"\\ud800\"",
            "\"approved\\u0000\""
        );
        var value = Gen.Frequency((2, words), (1, odd));
        var member =
            from name in Gen.Frequency(
                (3, Gen.Elements("decision", "action")),
                (
                    1,
                    Gen.Elements(
                        "Decision",
                        "data",
                        "response",
                        "type",
                        "requestId",
                        "approved",
                        "status",
                        "feedback",
                        "payload_hash",
                        "timestamp"
                    )
                )
            )
            from v in value
            select (name, v);
        var members = Gen.Choose(0, 3).SelectMany(n => Gen.ListOf(member, n));
        var inner = members.Select(list => "{" + string.Join(",", list.Select(m => $"\"{m.name}\":{m.v}")) + "}");
        var shape =
            from top in members
            from data in members
            from response in inner
            from nests in Gen.Elements(0, 1, 2, 3)
            select "{\"requestId\":\"q\""
                + string.Concat(top.Where(m => m.name != "requestId" || nests == 3).Select(m => $",\"{m.name}\":{m.v}"))
                + (
                    nests is 1 or 2
                        ? ",\"data\":{\"requestId\":\"q\""
                            + string.Concat(data.Where(m => m.name != "requestId").Select(m => $",\"{m.name}\":{m.v}"))
                            + (nests == 2 ? $",\"response\":{response}" : "")
                            + "}"
                        : ""
                )
                + "}";

        var (approved, refused) = (0, 0);
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(20_000),
            Prop.ForAll(
                Arb.From(shape),
                body =>
                {
                    var message = Read(body);
                    if (message is null)
                        refused++;
                    if (message?.Decided.Word != Postern.Approvals.Decision.Approved)
                        return true;
                    approved++;
                    // An approval is a word, at every place of a decision that is not null.
                    using var json = JsonDocument.Parse(body);
                    var root = json.RootElement;
                    var data =
                        root.TryGetProperty("data", out var d) && d.ValueKind == JsonValueKind.Object ? d : default;
                    var response =
                        data.ValueKind == JsonValueKind.Object
                        && data.TryGetProperty("response", out var r)
                        && r.ValueKind == JsonValueKind.Object
                            ? r
                            : default;
                    var said = new[]
                    {
                        Said(root, "decision"),
                        Said(data, "decision"),
                        Said(response, "decision"),
                        Said(response, "action"),
                    }
                        .Where(s => s is not null)
                        .ToList();
                    return said.Count > 0
                        && said.TrueForAll(s => approving.Contains(s!.Trim().ToLowerInvariant()))
                        && !(data.ValueKind == JsonValueKind.Object && Said(root, "type") == "expired");
                }
            )
        );
        Assert.True(
            approved > 200 && refused > 5000,
            $"{approved} approved, {refused} were refused: both kinds are among them"
        );

        // The same at the door: three thousand signed bodies without a decision, and the run still waits.
        var (run, token, _) = await _asking.RunningAsync();
        await _asking.AskAsync(run, token, new { approval_request_id = "q" });
        var undecided = shape.Sample(6000).Where(body => Read(body) is null).Take(3000).ToList();
        Assert.Equal(3000, undecided.Count);
        await Parallel.ForEachAsync(
            undecided,
            new ParallelOptions { MaxDegreeOfParallelism = 16 },
            async (body, _) =>
            {
                var answer = await _asking.SendAsync(body);
                Assert.True(
                    answer.Status == 400 && answer.Json.GetProperty("error").GetString() is { Length: > 10 },
                    $"{body}: {answer}"
                );
            }
        );
        Assert.Equal("pending", (await _asking.StatusAsync(run)).GetProperty("status").GetString());

        static string? Said(JsonElement from, string name) =>
            from.ValueKind == JsonValueKind.Object
            && from.TryGetProperty(name, out var v)
            && v.ValueKind != JsonValueKind.Null
                ? v.ValueKind == JsonValueKind.String
                    ? Postern.Http.JsonText.Of(v) ?? ""
                    : v.GetRawText()
                : null;
    }

    private static string Compact(object body) => JsonSerializer.Serialize(body);

    private static Postern.Approvals.ApprovalMessage? Read(string body)
    {
        var http = new Microsoft.AspNetCore.Http.DefaultHttpContext();
        http.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(body));
        var read = Postern.Http.RequestBody.ReadAsync(http, 1 << 20).AsTask().GetAwaiter().GetResult().Value();
        using (read)
            return Postern.Approvals.ApprovalMessage.Read(read).Try(out var message, out _) ? message : null;
    }
}

using System.Text.Json;

namespace Postern.Chaos.Acts;

/// <summary>
/// Starts a session, writes to all of its channels, has turns, reads them in every format, and closes most sessions.
/// </summary>
internal sealed class SessionClient(World world, string name) : Actor(world, name)
{
    protected override async Task ActAsync()
    {
        var session = $"{Name}-{Round}";
        var made = await PostAsync(
            "/api/v1/sessions",
            new
            {
                type = "chat",
                externalId = session,
                taskIdentifier = "echo",
                triggerConfig = new { basePayload = new { } },
            }
        );
        if (!Expect("create", made))
            return;
        Ledger.Acknowledge("session", new { session, id = made.String("id") });
        World.Sessions.Enqueue(session);
        for (var n = Random.Next(10, 40); n > 0; n--)
        {
            await StepAsync(session, $"{session}-{n}");
            await PauseAsync(80);
        }
        if (Chance(5))
            return;
        var closed = await PostAsync($"/api/v1/sessions/{session}/close", new { reason = "done" });
        if (Expect("close", closed))
            Ledger.Acknowledge("closed", new { session });
    }

    private async Task StepAsync(string session, string part)
    {
        switch (Random.Next(10))
        {
            case 0 or 1:
                await TurnAsync(session, part);
                break;
            case 2:
                await BatchAsync(session, part);
                break;
            case 3:
                await ReadAsync(session);
                break;
            case 4:
                await AppendAsync(session, "channels/side/in", part);
                break;
            case 5:
                await MessageAsync(session, part);
                break;
            default:
                await AppendAsync(session, "out", part);
                break;
        }
    }

    private async Task AppendAsync(string session, string channel, string part)
    {
        var body = World.Words(Random, Chance(20) ? 4000 : 12);
        var path = $"/realtime/v1/sessions/{session}/{channel}/append";
        var answer = await PostAsync(path, body, null, ("X-Part-Id", part));
        if (!Expect("append", answer))
            return;
        var seq = answer.Json.GetProperty("seq").GetInt64();
        Ledger.Acknowledge(
            "append",
            new
            {
                session,
                channel,
                part,
                seq,
                body,
            }
        );
        if (!Chance(4))
            return;
        // A repeat is harmless.
        var again = await PostAsync(path, body, null, ("X-Part-Id", part));
        if (Expect("append again", again))
            Ledger.Acknowledge(
                "append",
                new
                {
                    session,
                    channel,
                    part,
                    seq = again.Json.GetProperty("seq").GetInt64(),
                    body,
                }
            );
    }

    private async Task BatchAsync(string session, string part)
    {
        var records = Enumerable
            .Range(0, Random.Next(1, 30))
            .Select(i => new { partId = $"{part}-{i}", data = World.Words(Random, 6) })
            .ToList();
        var answer = await PostAsync($"/realtime/v1/sessions/{session}/out/records", new { records });
        if (!Expect("batch", answer))
            return;
        foreach (var record in records)
            Ledger.Acknowledge(
                "append",
                new
                {
                    session,
                    channel = "out",
                    part = record.partId,
                    seq = -1L,
                    body = record.data,
                }
            );
    }

    private async Task TurnAsync(string session, string part)
    {
        var text = World.Words(Random, 40);
        var answer = await PostAsync(
            $"/realtime/v1/sessions/{session}/in/append",
            JsonSerializer.Serialize(
                new
                {
                    kind = "message",
                    payload = new
                    {
                        chatId = session,
                        trigger = "submit-message",
                        message = new
                        {
                            id = "m-" + part,
                            role = "user",
                            parts = new[] { new { type = "text", text } },
                        },
                    },
                }
            ),
            null,
            ("X-Part-Id", part)
        );
        if (!Expect("turn", answer))
            return;
        Ledger.Acknowledge(
            "turn",
            new
            {
                session,
                part,
                seq = answer.Json.GetProperty("seq").GetInt64(),
            }
        );
        if (Chance(6))
            await PostAsync($"/realtime/v1/sessions/{session}/in/append", """{"kind":"stop"}""");
    }

    private async Task MessageAsync(string session, string part)
    {
        var content = World.Words(Random, 20).Trim();
        var answer = await PostAsync(
            $"/sessions/{Key(session)}/messages",
            new
            {
                role = "user",
                content,
                idempotencyKey = part,
            }
        );
        if (Expect("message", answer))
            Ledger.Acknowledge(
                "message",
                new
                {
                    session,
                    part,
                    content,
                }
            );
    }

    private async Task ReadAsync(string session)
    {
        var answer = await GetAsync(
            Random.Next(6) switch
            {
                0 => $"/sessions/{Key(session)}/history?limit=5",
                1 => $"/sessions/{Key(session)}/history?full=1",
                2 => $"/api/v1/sessions/{session}/transcript",
                3 => $"/api/v1/sessions/{session}",
                4 => $"/realtime/v1/sessions/{session}/out/records?limit=50",
                _ => "/api/v1/sessions?limit=20",
            }
        );
        Expect("read", answer);
    }

    private static string Key(string session) => Uri.EscapeDataString("agent:echo:" + session);
}

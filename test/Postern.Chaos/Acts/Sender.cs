using System.Text.Json;

namespace Postern.Chaos.Acts;

/// <summary>A provider of webhooks. It sends signed ones, repeats, wrongly signed ones, and more than fit.</summary>
internal sealed class Sender(World world, string name) : Actor(world, name)
{
    private static readonly string[] Triggers = ["echo", "echo", "called", "few"];

    protected override async Task ActAsync()
    {
        await PauseAsync(150);
        var trigger = Triggers[Random.Next(Triggers.Length)];
        if (Chance(15))
            await FloodAsync();
        else if (Chance(30))
            await InvokeAsync();
        else
            await SendAsync(trigger, $"{Name}-{Round}", Chance(5) ? 2 : 1);
    }

    private async Task SendAsync(string trigger, string delivery, int times)
    {
        var body = JsonSerializer.Serialize(new { n = delivery, words = World.Words(Random, 50) });
        if (Chance(12))
        {
            var refused = await InboundAsync(trigger, delivery, body, "sha256=" + new string('0', 64));
            if (refused.Status is not (401 or 0 or 503))
                Caller.Surprise(Name + " wrong signature", refused);
        }
        string? request = null;
        for (; times > 0; times--)
        {
            while (true)
            {
                var answer = await InboundAsync(trigger, delivery, body, "sha256=" + World.Sign(body));
                if (answer.Status is not (0 or 429 or 503))
                {
                    if (!Expect("inbound", answer))
                        return;
                    request = answer.Json.GetProperty("data").GetProperty("requestId").GetString();
                    Ledger.Acknowledge(
                        "capture",
                        new
                        {
                            trigger,
                            delivery,
                            request,
                        }
                    );
                    break;
                }
                await PauseAsync(300);
            }
        }
        if (!Chance(15))
            return;
        var replayed = await Caller.TryAsync(
            Random.Next(8),
            HttpMethod.Post,
            $"/api/triggers/user/chaos/{trigger}/requests/{request}/replay",
            null,
            World.Root
        );
        if (replayed.Status is not (0 or 429 or 503 or 409))
            Expect("replay", replayed);
    }

    private async Task FloodAsync()
    {
        await Task.WhenAll(
            Enumerable
                .Range(0, 30)
                .Select(async i =>
                {
                    var delivery = $"{Name}-{Round}-flood-{i}";
                    var body = JsonSerializer.Serialize(new { n = delivery });
                    var answer = await InboundAsync("few", delivery, body, "sha256=" + World.Sign(body));
                    if (answer.Ok)
                        Ledger.Acknowledge(
                            "capture",
                            new
                            {
                                trigger = "few",
                                delivery,
                                request = answer.Json.GetProperty("data").GetProperty("requestId").GetString(),
                            }
                        );
                    else if (answer.Status is not (0 or 429 or 503))
                        Caller.Surprise(Name + " flood", answer);
                })
        );
    }

    private async Task InvokeAsync()
    {
        var answer = await Caller.TryAsync(
            Random.Next(8),
            HttpMethod.Post,
            "/api/triggers/user/chaos/clock/invoke",
            null,
            World.Root
        );
        if (answer.Status is not (0 or 429 or 503 or 409))
            Expect("invoke", answer);
    }

    private Task<Answer> InboundAsync(string trigger, string delivery, string body, string signature) =>
        Caller.TryAsync(
            Random.Next(8),
            HttpMethod.Post,
            "/inbound/user/chaos/" + trigger,
            body,
            null,
            ("X-Hub-Signature-256", signature),
            ("X-Chaos-Id", delivery)
        );
}

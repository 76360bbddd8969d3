using System.Text.Json;
using Postern.Http;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>
/// Makes the code that talks with a session as the console does: with the client library of npm, and with curl. It
/// contains no credential. Values that callers chose are written as JSON strings, so they cannot become code.
/// </summary>
internal static class ChatCode
{
    /// <summary>
    /// A program for Node: it begins the session or continues it, sends a message, and prints the answer.
    /// </summary>
    public static string Library(Session session)
    {
        var (name, agent) = (Quoted(session.Name), Quoted(session.Agent));
        return $$"""
            // npm install @trigger.dev/sdk ai && TRIGGER_API_URL=$U TRIGGER_SECRET_KEY=$KEY node chat.mjs
            import { sessions } from "@trigger.dev/sdk";
            import { TriggerChatTransport } from "@trigger.dev/sdk/chat";

            const id = {{name}};
            const task = {{agent}};
            const { publicAccessToken } = await sessions.start({
              type: "chat", externalId: id, taskIdentifier: task, triggerConfig: { basePayload: {} },
            });
            const chat = new TriggerChatTransport({
              task,
              baseURL: process.env.TRIGGER_API_URL,
              accessToken: async () => publicAccessToken,
              sessions: { [id]: { publicAccessToken } },
            });
            const message = {
              id: crypto.randomUUID(), role: "user", parts: [{ type: "text", text: "Hello, door." }],
            };
            const answer = await chat.sendMessages({ trigger: "submit-message", chatId: id, messages: [message] });
            for await (const chunk of answer)
              if (chunk.type === "text-delta") process.stdout.write(chunk.delta);
            """;
    }

    /// <summary>Sends a message, and follows what the agent answers.</summary>
    public static string Shell(Session session)
    {
        var path = "/realtime/v1/sessions/" + Uri.EscapeDataString(session.Id);
        return Curl.Send("POST", path + "/in/append", Message(session))
            + "\n"
            + Curl.Get(path + "/out").Replace("-s ", "-sN ", StringComparison.Ordinal);
    }

    /// <summary>A message to its agent, as it is appended to <c>in</c>.</summary>
    public static string Message(Session session) =>
        JsonSerializer.Serialize(
            new
            {
                kind = "message",
                payload = new
                {
                    chatId = session.Name,
                    trigger = "submit-message",
                    message = new
                    {
                        id = "m1",
                        role = "user",
                        parts = new[] { new { type = "text", text = "Hello, door." } },
                    },
                },
            },
            Wire.Json
        );

    private static string Quoted(string text) => JsonSerializer.Serialize(text);
}

using System.Text.Json;

namespace Postern.Support;

internal static class Chat
{
    /// <summary>A user's message as chat clients append it.</summary>
    public static string Message(string chatId, string text) =>
        JsonSerializer.Serialize(
            new
            {
                kind = "message",
                payload = new
                {
                    chatId,
                    trigger = "submit-message",
                    message = new
                    {
                        id = "m",
                        role = "user",
                        parts = new[] { new { type = "text", text } },
                    },
                },
            }
        );
}

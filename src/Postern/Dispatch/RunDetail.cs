using System.Text.Json;
using Postern.Http;
using Postern.Runs;

namespace Postern.Dispatch;

/// <summary>Reads a single run with its large parts, its attempts, and why it has not ended.</summary>
internal static class RunDetail
{
    public static byte[] Render(
        Run run,
        IReadOnlyDictionary<string, byte[]> data,
        IReadOnlyList<RunAttempt> attempts,
        Why? why
    ) =>
        RunJson.Render(
            run,
            data,
            json =>
            {
                if (attempts.Count > 0)
                    Write(json, "attempts", attempts);
                if (why is not null)
                    Write(json, "why", why);
            }
        );

    private static void Write<T>(Utf8JsonWriter json, string name, T value)
    {
        json.WritePropertyName(name);
        JsonSerializer.Serialize(json, value, Wire.Json);
    }
}

using Postern.Http;

namespace Postern.Support;

internal static class CheckedValues
{
    /// <summary>Returns the value; a refusal fails the test.</summary>
    public static T Value<T>(this Checked<T> answer)
        where T : notnull =>
        answer.Try(out var value, out var refusal)
            ? value
            : throw new InvalidOperationException($"Refused: {refusal.Status} {refusal.Message}");

    /// <summary>The same for what is awaited.</summary>
    public static async Task<T> ValueAsync<T>(this Task<Checked<T>> answer)
        where T : notnull => (await answer).Value();
}

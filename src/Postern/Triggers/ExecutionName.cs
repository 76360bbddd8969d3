using System.Globalization;
using Postern.Access;

namespace Postern.Triggers;

/// <summary>The execution whose end a worker reports, named by headers.</summary>
/// <param name="Subject">What a signature over the report is about: the captured request, or the run.</param>
internal abstract record ExecutionName(string Subject)
{
    internal sealed record OfCapture(string Space, string Trigger, string Request) : ExecutionName(Request);

    internal sealed record OfRun(string Run, long Attempt) : ExecutionName(Run);

    /// <summary>Returns null when the headers name none, or two.</summary>
    public static ExecutionName? Of(IHeaderDictionary headers)
    {
        var space = Text(headers, ExecutionRoutes.NamespaceHeader);
        var trigger = Text(headers, ExecutionRoutes.TriggerHeader);
        var request = Text(headers, ExecutionRoutes.RequestHeader);
        if (space is not null && trigger is not null && request is not null)
            return new OfCapture(space, trigger, request);
        var namesNothing = space is null && trigger is null && request is null;
        return namesNothing && Text(headers, CredentialReader.RunHeader) is { } run
            ? new OfRun(run, AttemptOf(headers))
            : null;
    }

    /// <summary>The first attempt when it is missing; 0, which does not exist, when it cannot be read.</summary>
    private static long AttemptOf(IHeaderDictionary headers)
    {
        if (Text(headers, CredentialReader.AttemptHeader) is not { } said)
            return 1;
        return long.TryParse(said, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
    }

    /// <summary>Header values are UTF-8, but the server reads each byte as one character.</summary>
    private static string? Text(IHeaderDictionary headers, string name) =>
        headers.TryGetValue(name, out var values) && values.Count == 1 && values[0] is { Length: > 0 and <= 1000 } value
            ? System.Text.Encoding.UTF8.GetString(System.Text.Encoding.Latin1.GetBytes(value))
            : null;
}

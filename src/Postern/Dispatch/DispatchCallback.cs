using Postern.Triggers;

namespace Postern.Dispatch;

/// <summary>The address for reporting the end of a dispatched run.</summary>
/// <param name="Path">Below this server's address.</param>
/// <param name="Headers">What is sent with it.</param>
/// <param name="Trigger">Whose captured request it answers; null for none.</param>
/// <param name="Capture">That request; null for none.</param>
internal sealed record DispatchCallback(
    string Path,
    (string Header, string Value)[] Headers,
    Trigger? Trigger,
    Capture? Capture
);

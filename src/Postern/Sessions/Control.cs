namespace Postern.Sessions;

/// <summary>The names that existing clients know control records by.</summary>
internal static class Control
{
    public const string Header = "trigger-control";
    public const string TurnComplete = "turn-complete";
    public const string SessionClosed = "session-closed";
    public const string InEventId = "session-in-event-id";
    public const string ClosedReason = "session-closed-reason";
    public const string AccessToken = "public-access-token";

    /// <summary>On a turn-complete the server sets it, whatever the agent has said.</summary>
    public static bool IsOfServer(string name) => name is InEventId or AccessToken;

    /// <summary>How a turn-complete stands in a record's headers.</summary>
    public const string TurnCompleteHeader = "[\"trigger-control\",\"turn-complete\"]";
}

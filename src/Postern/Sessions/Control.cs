namespace Postern.Sessions;

/// <summary>The names of control records that existing clients know.</summary>
internal static class Control
{
    public const string Header = "trigger-control";
    public const string TurnComplete = "turn-complete";
    public const string SessionClosed = "session-closed";
    public const string InEventId = "session-in-event-id";
    public const string ClosedReason = "session-closed-reason";
    public const string AccessToken = "public-access-token";

    /// <summary>The server sets it on a turn-complete, whatever the agent sent.</summary>
    public static bool IsOfServer(string name) => name is InEventId or AccessToken;

    /// <summary>The header that marks a turn-complete.</summary>
    public const string TurnCompleteHeader = "[\"trigger-control\",\"turn-complete\"]";
}

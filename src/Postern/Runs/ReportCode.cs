namespace Postern.Runs;

/// <summary>The codes of refused reports, the same on every route and in the timeline.</summary>
internal static class ReportCode
{
    public const string Validation = "VALIDATION_ERROR";
    public const string Mismatch = "EVENT_ID_PAYLOAD_MISMATCH";
    public const string Stale = "STALE_ATTEMPT";
    public const string OutOfOrder = "CALLBACK_OUT_OF_ORDER";
    public const string Illegal = "FSM_TRANSITION_INVALID";
    public const string Terminal = "FSM_TERMINAL_IMMUTABLE";
}

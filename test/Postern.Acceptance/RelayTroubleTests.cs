namespace Postern.Acceptance;

/// <summary>Faults that no side reports: slow, half-open or idle lines, and frozen nodes.</summary>
public sealed class RelayTroubleTests(RelayTroubleScenes scenes) : IClassFixture<RelayTroubleScenes>
{
    [Fact]
    public Task A_line_of_64_kbit_carries_a_body_that_takes_longer_than_any_silence() => scenes.ThinLine;

    [Fact]
    public Task A_half_open_connection_is_noticed_on_both_sides_and_loses_nothing() => scenes.HalfOpen;

    [Fact]
    public Task A_limit_of_20_idle_seconds_ends_no_connection() => scenes.Idle;

    [Fact]
    public Task With_two_nodes_on_each_side_one_may_freeze_and_one_may_be_drained() => scenes.Nodes;
}

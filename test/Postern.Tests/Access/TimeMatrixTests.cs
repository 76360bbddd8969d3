using Postern.Support;

namespace Postern.Tests.Access;

/// <summary>
/// Authority ends when it ends, on SQLite: every door, every way to end, every moment (<see cref="TimeMatrix"/>). The
/// doors of the console are in a class of their own, which runs in parallel.
/// </summary>
public sealed class TimeMatrixTests(TimeMatrixTests.World world) : IClassFixture<TimeMatrixTests.World>
{
    public sealed class World : IAsyncLifetime
    {
        internal TimeWorld Time { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Time = await TimeWorld.StartAsync(Backend.Sqlite);

        public ValueTask DisposeAsync() => Time.DisposeAsync();
    }

    public static TheoryData<string, string> Rows() => TimeMatrix.Rows(console: false);

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_caller_can_do_nothing_more_after_its_authority_has_ended(string method, string path)
    {
        var door = world.Time.Server.Doors.Table.Single(d => d.Method == method && d.Path == path);
        await new TimeMatrix(world.Time, door).TryAsync(Ending.Of(door));
    }
}

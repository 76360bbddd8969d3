using Postern.Support;

namespace Postern.Tests.Access;

/// <summary>The matrix in time of the console's doors on SQLite, beside that of all others.</summary>
public sealed class ConsoleTimeMatrixTests(TimeMatrixTests.World world) : IClassFixture<TimeMatrixTests.World>
{
    public static TheoryData<string, string> Rows() => TimeMatrix.Rows(console: true);

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task Whoever_came_through_a_door_does_nothing_more_once_his_authority_has_ended(
        string method,
        string path
    )
    {
        var door = world.Time.Server.Doors.Table.Single(d => d.Method == method && d.Path == path);
        await new TimeMatrix(world.Time, door).TryAsync(Ending.Of(door));
    }
}

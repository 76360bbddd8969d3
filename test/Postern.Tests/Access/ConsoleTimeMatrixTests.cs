using Postern.Support;

namespace Postern.Tests.Access;

/// <summary>The matrix in time for the doors of the console, on SQLite.</summary>
public sealed class ConsoleTimeMatrixTests(TimeMatrixTests.World world) : IClassFixture<TimeMatrixTests.World>
{
    public static TheoryData<string, string> Rows() => TimeMatrix.Rows(console: true);

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_caller_can_do_nothing_more_after_its_authority_has_ended(string method, string path)
    {
        var door = world.Time.Server.Doors.Table.Single(d => d.Method == method && d.Path == path);
        await new TimeMatrix(world.Time, door).TryAsync(Ending.Of(door));
    }
}

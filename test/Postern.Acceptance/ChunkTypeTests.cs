using System.Text.RegularExpressions;
using Postern.Sessions;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>The types of chunks, as the installed version of the npm package <c>ai</c> declares them.</summary>
public sealed partial class ChunkTypeTests
{
    [Fact]
    public void Every_type_of_chunk_that_the_client_library_declares_is_known()
    {
        var declared = File.ReadAllText(
            Repository.File("test/Postern.Acceptance/clients/node_modules/ai/dist/index.d.ts")
        );
        var from = declared.IndexOf("type UIMessageChunk<", StringComparison.Ordinal);
        var to = declared.IndexOf("type InferUIMessageChunk<", from, StringComparison.Ordinal);
        var types = Declared()
            .Matches(declared[from..to])
            .Select(m => m.Groups[1].Value)
            .ToHashSet(StringComparer.Ordinal);
        Assert.True(types.Count >= 24, string.Join(' ', types));
        Assert.All(
            types,
            type => Assert.True(TurnAssembler.Knows(type), $"TurnAssembler knows nothing of chunks of the type {type}")
        );
    }

    [GeneratedRegex("type: ['\"]([a-z-]+)['\"]")]
    private static partial Regex Declared();
}

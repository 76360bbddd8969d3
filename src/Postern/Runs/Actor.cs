using Postern.Storage;

namespace Postern.Runs;

/// <summary>The author of a change of a run: a credential's kind and id, or the server itself.</summary>
internal sealed record Actor([property: Column("credential")] string Credential, [property: Column("actor")] string Id)
{
    public static Actor Server { get; } = new("server", "server");
}

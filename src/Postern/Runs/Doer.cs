namespace Postern.Runs;

/// <summary>Who did something to a run: a credential's kind and id, or the server itself.</summary>
internal sealed record Doer(string Credential, string Actor)
{
    public static Doer Server { get; } = new("server", "server");
}

namespace Postern.Live;

/// <summary>A stream's connection to a tail. There is one for each open stream, so it is small.</summary>
internal sealed class Following(Tails tails, Tails.Entry entry, LiveStream stream) : IDisposable
{
    public Tail Tail => entry.Tail;

    public void Dispose() => tails.Leave(entry, stream);
}

namespace Postern.Live;

/// <summary>A stream's hold on a tail. There is one an open stream: it holds no more than it needs.</summary>
internal sealed class Following(Tails tails, Tails.Entry entry, LiveStream stream) : IDisposable
{
    public Tail Tail => entry.Tail;

    public void Dispose() => tails.Leave(entry, stream);
}

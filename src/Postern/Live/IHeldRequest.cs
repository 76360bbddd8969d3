namespace Postern.Live;

/// <summary>A request that is held open: a stream, or one that waits for an answer.</summary>
internal interface IHeldRequest : IDisposable
{
    /// <summary>Called twice a second, and when access has changed. Does what is due.</summary>
    void Look();

    /// <summary>Ends it, with a reason.</summary>
    void End(string reason);
}

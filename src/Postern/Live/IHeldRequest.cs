namespace Postern.Live;

/// <summary>A request that is held open: a stream, or one that waits for an answer.</summary>
internal interface IHeldRequest : IDisposable
{
    /// <summary>Called twice a second, and when something about access changed: whatever is due is done.</summary>
    void Look();

    /// <summary>It ends, with a reason.</summary>
    void End(string reason);
}

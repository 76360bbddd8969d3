namespace Postern.Storage;

/// <summary>
/// Those who must hear of one kind of change, in their order. Whoever makes the change raises it inside its
/// transaction; each reaction is awaited on the same <see cref="Tx"/>, one after another, so a fault in one leaves
/// nothing of the change. Who reacts to what is declared in one place
/// (<see cref="Postern.Hosting.ReactionTable"/>), once, before the server listens.
/// </summary>
/// <typeparam name="T">The change.</typeparam>
internal sealed class Reactions<T>
{
    private Func<Tx, T, ValueTask>[]? _inOrder;

    /// <summary>Sets who hears, first to last.</summary>
    /// <exception cref="InvalidOperationException">It was declared already.</exception>
    public void Declare(params Func<Tx, T, ValueTask>[] inOrder)
    {
        if (_inOrder is not null)
            throw new InvalidOperationException($"Who hears of {typeof(T).Name} was declared already.");
        _inOrder = inOrder;
    }

    /// <summary>Tells everybody who must hear of it, in their order.</summary>
    /// <exception cref="InvalidOperationException">Nobody was declared: the change would be lost on all.</exception>
    public async ValueTask RaiseAsync(Tx tx, T change)
    {
        if (_inOrder is null)
            throw new InvalidOperationException($"Nobody was declared who hears of {typeof(T).Name}.");
        foreach (var reaction in _inOrder)
            await reaction(tx, change);
    }
}

namespace Postern.Storage;

/// <summary>
/// The reactions to one kind of change, in their order. The code that makes the change raises it inside its
/// transaction. The reactions are awaited one after another on the same <see cref="Tx"/>, so a fault in one undoes the
/// whole change. One place declares all reactions (<c>Postern.Hosting.ReactionTable</c>), once, before the server
/// listens.
/// </summary>
/// <typeparam name="T">The change.</typeparam>
internal sealed class Reactions<T>
{
    private Func<Tx, T, ValueTask>[]? _inOrder;

    /// <summary>Sets the reactions, first to last.</summary>
    /// <exception cref="InvalidOperationException">It was declared already.</exception>
    public void Declare(params Func<Tx, T, ValueTask>[] inOrder)
    {
        if (_inOrder is not null)
            throw new InvalidOperationException($"Who hears of {typeof(T).Name} was declared already.");
        _inOrder = inOrder;
    }

    /// <summary>Runs all reactions to a change, in their order.</summary>
    /// <exception cref="InvalidOperationException">Nobody was declared: the change would be lost on all.</exception>
    public async ValueTask RaiseAsync(Tx tx, T change)
    {
        if (_inOrder is null)
            throw new InvalidOperationException($"Nobody was declared who hears of {typeof(T).Name}.");
        foreach (var reaction in _inOrder)
            await reaction(tx, change);
    }
}

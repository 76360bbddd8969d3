using System.Runtime.CompilerServices;

namespace Postern.Storage;

/// <summary>
/// The answer to a query that was asked before it is needed (<see cref="Tx.FirstAhead{T}"/>). It is awaited where it is
/// used. Queries that are asked before the first is awaited share a round trip.
/// </summary>
internal sealed class Ahead<T>
{
    private readonly Func<ValueTask>? _send;
    private bool _isThere;
    private T? _answer;

    /// <summary>Wraps an answer that is there already.</summary>
    public Ahead(T answer) => Answer(answer);

    /// <param name="send">Sends the query with all that waits, and gives the answer.</param>
    public Ahead(Func<ValueTask> send) => _send = send;

    public void Answer(T answer) => (_answer, _isThere) = (answer, true);

    public ValueTaskAwaiter<T> GetAwaiter() => GetAsync().GetAwaiter();

    private async ValueTask<T> GetAsync()
    {
        if (!_isThere)
            await _send!();
        return _isThere ? _answer! : throw new InvalidOperationException("The query was not answered.");
    }
}

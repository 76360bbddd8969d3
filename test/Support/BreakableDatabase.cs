using Postern.Storage;

namespace Postern.Support;

/// <summary>A database that throws at each call what a test chooses, even what no database would throw.</summary>
internal sealed class BreakableDatabase(Database inner) : Database
{
    private int _refused;

    /// <summary>Makes the exception; null: it works.</summary>
    public Func<Exception>? Fault { get; set; }

    /// <summary>The number of calls that failed.</summary>
    public int Refused => Volatile.Read(ref _refused);

    public override Task<long> FollowClockAsync(CancellationToken cancel) => inner.FollowClockAsync(cancel);

    public override long Now => inner.Now;

    public override string Kind => inner.Kind;

    public override bool IsEmbedded => inner.IsEmbedded;

    public override Changes Changes => inner.Changes;

    public override Tally Tally => inner.Tally;

    public override WriteHealth Writes => inner.Writes;

    public override async Task<T> WriteAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default)
    {
        ThrowIfBroken();
        return await inner.WriteAsync(command, cancel);
    }

    public override async Task<T> WriteOneAsync<T>(Func<Tx, ValueTask<T>> command, CancellationToken cancel = default)
    {
        ThrowIfBroken();
        return await inner.WriteOneAsync(command, cancel);
    }

    public override async ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> query, CancellationToken cancel = default)
    {
        ThrowIfBroken();
        return await inner.ReadAsync(query, cancel);
    }

    public override async ValueTask<T> SearchAsync<T>(Func<Tx, ValueTask<T>> query)
    {
        ThrowIfBroken();
        return await inner.SearchAsync(query);
    }

    public override ValueTask DisposeAsync() => inner.DisposeAsync();

    private void ThrowIfBroken()
    {
        if (Fault is not { } fault)
            return;
        Interlocked.Increment(ref _refused);
        throw fault();
    }
}

namespace Postern.Storage;

/// <summary>
/// A command finds that it needs work which is too long for a transaction, and throws this. The transaction is rolled
/// back, the work is done outside of it, and the command is run again, from its beginning. So a command that may meet
/// such work anywhere below it looks like any other.
/// </summary>
/// <param name="work">
/// Done on no thread that others wait for. What it answers is disposed once the command has come to its end: until then
/// the command finds there what was done for it.
/// </param>
internal sealed class OutsideFirstException(Func<Task<IAsyncDisposable>> work)
    : Exception("Work must be done outside of the transaction first.")
{
    public Func<Task<IAsyncDisposable>> Work { get; } = work;
}

/// <summary>What was done outside for one command, held until the command's end.</summary>
internal sealed class DoneOutside(Changes changes) : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _held = [];

    public async Task DoAsync(OutsideFirstException outside) => _held.Add(await Task.Run(outside.Work));

    public async ValueTask DisposeAsync()
    {
        foreach (var held in _held)
        {
            try
            {
                await held.DisposeAsync();
            }
            catch (Exception fault)
            {
                StorageLog.NotLetGo(changes.Log, fault);
            }
        }
    }
}

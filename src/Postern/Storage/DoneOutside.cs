namespace Postern.Storage;

/// <summary>
/// The results of work that was done outside the transaction for one command. They are kept until the command ends.
/// </summary>
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

namespace Postern.Storage;

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

namespace Postern.Storage;

/// <summary>
/// On whose behalf the database is asked, said once where the work begins and valid for all that it calls. The door
/// says it of each request, so no handler and no store has to pass it on.
/// </summary>
/// <param name="asker">Whose connections are used.</param>
/// <param name="left">
/// Gives the token that is cancelled when nobody waits for the answer any more; asked for only where something is held
/// up, since the token costs a request more than a read does. Null: somebody always waits.
/// </param>
internal sealed class StorageUse(Asker asker, Func<CancellationToken>? left = null)
{
    private static readonly AsyncLocal<StorageUse?> Ambient = new();
    private static readonly StorageUse Loop = new(Asker.Loop);

    public static StorageUse Vital { get; } = new(Asker.Vital);

    public static StorageUse Current => Ambient.Value ?? Loop;

    public Asker Asker { get; } = asker;

    /// <summary>
    /// What the request is about (a session's or run's name within its project): of all places for requests, those who
    /// write about one subject get a part. Null: nothing in particular.
    /// </summary>
    public string? Subject { get; set; }

    /// <summary>
    /// Cancelled when nobody waits for the answer any more. Asking a request that is over is no fault.
    /// </summary>
    public CancellationToken Gone
    {
        get
        {
            try
            {
                return left?.Invoke() ?? default;
            }
            catch (ObjectDisposedException)
            {
                return new CancellationToken(canceled: true);
            }
        }
    }

    /// <summary>The same for what goes on when the request is over.</summary>
    public StorageUse Outliving => new(Asker) { Subject = Subject };

    /// <summary>Until the asynchronous method that calls it returns.</summary>
    public static StorageUse Begin(StorageUse use) => Ambient.Value = use;
}

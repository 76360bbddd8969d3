namespace Postern.Storage;

/// <summary>
/// The purpose for which the database is used. It is declared once, where the work begins, and holds for all calls
/// below. The door declares it for each request, so no handler and no store has to pass it on.
/// </summary>
/// <param name="asker">Whose connections are used.</param>
/// <param name="left">
/// Gives the token that is cancelled when nobody waits for the answer any more; asked for only where something is held
/// up, since the token costs a request more than a read does. Null: somebody always waits.</param>
internal sealed class StorageUse(Asker asker, Func<CancellationToken>? left = null)
{
    private static readonly AsyncLocal<StorageUse?> Ambient = new();
    private static readonly StorageUse Loop = new(Asker.Loop);

    public static StorageUse Vital { get; } = new(Asker.Vital);

    public static StorageUse Current => Ambient.Value ?? Loop;

    public Asker Asker { get; } = asker;

    /// <summary>
    /// What the request is about (the name of a session or run within its project). Writers about one subject share a
    /// part of the places for requests. Null: nothing in particular.
    /// </summary>
    public string? Subject { get; set; }

    /// <summary>
    /// Cancelled when nobody waits for the answer any more. It may be read after the request is over.
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

    /// <summary>The same purpose for work that goes on after the request.</summary>
    public StorageUse Outliving => new(Asker) { Subject = Subject };

    /// <summary>Holds until the asynchronous method that calls this returns.</summary>
    public static StorageUse Begin(StorageUse use) => Ambient.Value = use;
}

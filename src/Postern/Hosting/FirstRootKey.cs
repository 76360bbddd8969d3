namespace Postern.Hosting;

/// <summary>
/// The root key that a first start made, until it is printed. The key is in the database, and no later start prints it.
/// So when the start fails before that, the key is printed all the same.
/// </summary>
/// <param name="text">Null when this start made none that must be shown.</param>
internal sealed class FirstRootKey(string? text) : IDisposable
{
    public string? Text { get; } = text;

    public bool IsPrinted { get; set; }

    public void Dispose()
    {
        if (Text is not null && !IsPrinted)
            Terminal.WriteLine(
                $"""
                The root key, shown this once. Keep it: the server did not start, but its database has this key.

                  export KEY={Text}

                """
            );
    }
}

using Microsoft.Extensions.Logging;

namespace Postern.Support;

/// <summary>A log that fails at every line.</summary>
internal sealed class FailingLog : ILogger, IDisposable
{
    private int _tried;

    /// <summary>How often something was written to it.</summary>
    public int Tried => Volatile.Read(ref _tried);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter
    )
    {
        Interlocked.Increment(ref _tried);
        throw new IOException("on purpose");
    }

    public void Dispose() { }
}

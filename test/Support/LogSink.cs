using System.Text;
using Microsoft.Extensions.Logging;

namespace Postern.Support;

/// <summary>Everything that was logged.</summary>
internal sealed class LogSink : ILoggerProvider, ILogger
{
    private readonly StringBuilder _text = new();

    public string Text
    {
        get
        {
            lock (_text)
                return _text.ToString();
        }
    }

    public ILogger CreateLogger(string categoryName) => this;

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
        lock (_text)
            _text
                .Append(logLevel)
                .Append(' ')
                .Append(formatter(state, exception))
                .Append(' ')
                .Append(exception)
                .Append('\n');
    }

    public void Dispose() { }
}

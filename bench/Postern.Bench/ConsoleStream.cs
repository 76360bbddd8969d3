using System.Text;

namespace Postern.Bench;

/// <summary>The stream of one open page.</summary>
internal sealed class ConsoleStream(HttpResponseMessage answer, Stream stream) : IDisposable
{
    private readonly byte[] _buffer = new byte[64 * 1024];
    private string _said = "";

    /// <summary>Reads until it has said something.</summary>
    public async Task UntilAsync(string text)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        int at;
        while ((at = _said.IndexOf(text, StringComparison.Ordinal)) < 0)
        {
            var read = await stream.ReadAsync(_buffer, patience.Token);
            if (read == 0)
                throw new InvalidOperationException("The page's stream ended.");
            _said += Encoding.UTF8.GetString(_buffer, 0, read);
        }
        _said = _said[(at + text.Length)..];
    }

    public void Dispose()
    {
        stream.Dispose();
        answer.Dispose();
    }
}

namespace Postern.Storage;

/// <summary>
/// Thrown by a command that needs work which is too long for a transaction. The transaction is rolled back, the work is
/// done outside of it, and the command runs again from its beginning. So a command that may need such work looks like
/// any other.
/// </summary>
/// <param name="work">
/// Done on no thread that others wait for. What it answers is disposed once the command has come to its end: until then
/// the command finds there what was done for it.</param>
internal sealed class OutsideFirstException(Func<Task<IAsyncDisposable>> work)
    : Exception("Work must be done outside of the transaction first.")
{
    public Func<Task<IAsyncDisposable>> Work { get; } = work;
}

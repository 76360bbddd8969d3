namespace Postern.Storage;

/// <summary>The rows of a page and, when the list goes on, the place behind which it does.</summary>
internal sealed record Listed<T>(IReadOnlyList<T> Rows, (long At, string Id)? Next);

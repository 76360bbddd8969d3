namespace Postern.Storage;

/// <summary>The rows of a page, and the place behind which the list goes on; null at the end of the list.</summary>
internal sealed record Listed<T>(IReadOnlyList<T> Rows, (long At, string Id)? Next);

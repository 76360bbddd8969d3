using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>An action on many things of a kind. Each thing is handled by the code for a single one.</summary>
internal abstract class BulkAction
{
    /// <summary>The name, such as <c>runs.cancel</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The name in the audit, the same as for a single thing.</summary>
    public abstract string Audited { get; }

    /// <summary>The name of its things: <c>runs</c>.</summary>
    public string Things => Name.Split('.')[0];

    /// <summary>The right on the collection; it allows listing the jobs of this action.</summary>
    public abstract RequiredScope RequiredScope { get; }

    /// <summary>
    /// The right that a job needs: on the collection, unless the filter names the one thing to which all its items
    /// belong.
    /// </summary>
    public virtual RequiredScope RequiredScopeOf(BulkFilter filter) => RequiredScope;

    /// <summary>The names that its filter may have.</summary>
    public abstract IReadOnlyList<string> Filters { get; }

    /// <summary>Returns why the filter cannot be read, with the member and what it must be; or null.</summary>
    public abstract string? WhyUnreadable(BulkFilter filter);

    /// <summary>Returns a page of the ids that match the filter, newest first.</summary>
    /// <param name="project">Whose things.</param>
    /// <param name="scope">The filter, and what the caller may see of it.</param>
    /// <param name="after">Where the page begins; null: at the beginning.</param>
    /// <param name="limit">Ids of a page at most.</param>
    /// <param name="cancel">The request's.</param>
    public abstract ValueTask<Listed<string>> PageAsync(
        string project,
        BulkScope scope,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    );

    /// <summary>
    /// Does it to one thing, if the filter still matches, in a transaction that ends with <paramref name="note"/>. It
    /// is given null when it was done, else why the thing was skipped.
    /// </summary>
    public abstract Task DoAsync(BulkItem item, Func<Tx, Skip?, ValueTask> note);

    /// <summary>Counts how many of these items have arrived. Null when the action sends nothing.</summary>
    public virtual ValueTask<Arrivals?> ArrivedAsync(string project, IReadOnlyList<string> items) =>
        ValueTask.FromResult<Arrivals?>(null);
}

using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>An action on many things of a kind, done to each by the code that does it to one.</summary>
internal abstract class BulkAction
{
    /// <summary>Such as <c>runs.cancel</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The action in the audit, as of one thing.</summary>
    public abstract string Audited { get; }

    /// <summary>What its things are called: <c>runs</c>.</summary>
    public string Things => Name.Split('.')[0];

    /// <summary>The right on the collection: with it the jobs of this action are listed.</summary>
    public abstract RequiredScope RequiredScope { get; }

    /// <summary>
    /// The right that a job needs: on the collection, unless the filter names the one thing that all its items belong
    /// to.
    /// </summary>
    public virtual RequiredScope RequiredScopeOf(BulkFilter filter) => RequiredScope;

    /// <summary>The names that its filter may have.</summary>
    public abstract IReadOnlyList<string> Filters { get; }

    /// <summary>Returns why the filter cannot be read: the member, and what it must be. Null when it can.</summary>
    public abstract string? WhyUnreadable(BulkFilter filter);

    /// <summary>A page of the ids of what the filter finds, newest first.</summary>
    /// <param name="project">Whose things.</param>
    /// <param name="scope">What is looked for, and what the caller may see of it.</param>
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
    /// Does it to one thing, where the filter still finds it, in a transaction that ends with <paramref name="note"/>:
    /// given null when it was done, else why the thing was left as it is.
    /// </summary>
    public abstract Task DoAsync(BulkItem item, Func<Tx, Skip?, ValueTask> note);

    /// <summary>
    /// How many of these items have come to where the action sends them. Null when the action sends nothing.
    /// </summary>
    public virtual ValueTask<Arrivals?> ArrivedAsync(string project, IReadOnlyList<string> items) =>
        ValueTask.FromResult<Arrivals?>(null);
}

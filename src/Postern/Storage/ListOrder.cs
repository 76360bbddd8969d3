namespace Postern.Storage;

/// <summary>
/// The order of a list: an index of the table that begins with the columns of the list's first condition.
/// </summary>
/// <param name="Table">Also the condition's: <c>run</c>.</param>
/// <param name="At">The column of the instant that comes before the id; null: the ids alone are the order.</param>
/// <param name="NewestFirst">False: the oldest first.</param>
internal sealed record ListOrder(string Table, string? At, bool NewestFirst = true)
{
    public string Sign => NewestFirst ? "<" : ">";

    public string Sql
    {
        get
        {
            var way = NewestFirst ? "DESC" : "ASC";
            return At is null ? $"id {way}" : $"{At} {way}, id {way}";
        }
    }
}

using System.Text.RegularExpressions;

namespace Postern.Storage;

/// <summary>One statement of a migration.</summary>
/// <param name="Sql">As it is run on a database that holds data.</param>
/// <param name="Plain">As it is run on an empty one.</param>
internal sealed partial record PostgresStep(PostgresStepKind Kind, string Sql, string Plain)
{
    /// <summary>The index that is built.</summary>
    public string Index { get; private init; } = "";

    /// <summary>The table whose rows are filled in.</summary>
    public string Table { get; private init; } = "";

    public static PostgresStep Of(string sql)
    {
        if (IndexMade().Match(sql) is { Success: true } made)
        {
            var rest = sql[made.Length..];
            var unique = made.Groups["unique"].Value;
            return new(
                PostgresStepKind.BuildsIndex,
                $"CREATE {unique}INDEX CONCURRENTLY IF NOT EXISTS {made.Groups["name"].Value}{rest}",
                sql
            )
            {
                Index = made.Groups["name"].Value,
            };
        }
        if (IndexDropped().Match(sql) is { Success: true } dropped)
            return new(
                PostgresStepKind.DropsIndex,
                $"DROP INDEX CONCURRENTLY IF EXISTS {dropped.Groups["name"].Value}",
                sql
            );
        if (RowsFilled().Match(sql) is { Success: true } filled)
            return new(PostgresStepKind.FillsRows, sql, sql) { Table = filled.Groups["table"].Value };
        return new(PostgresStepKind.Changes, sql, sql);
    }

    /// <summary>Returns the statement for a part of the rows.</summary>
    public string Filled(string condition) => RowsFilled().Replace(Plain, condition);

    [GeneratedRegex(@"^CREATE (?<unique>UNIQUE )?INDEX (?<name>\w+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex IndexMade();

    [GeneratedRegex(@"^DROP INDEX (?<name>\w+)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex IndexDropped();

    [GeneratedRegex(@"\{rows of (?<table>\w+)\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RowsFilled();
}

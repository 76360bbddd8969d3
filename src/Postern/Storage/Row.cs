using System.Data.Common;
using System.Linq.Expressions;
using System.Reflection;

namespace Postern.Storage;

/// <summary>
/// Maps a table's row to the record that declares its columns (<see cref="ColumnAttribute"/>): the column list for a
/// SELECT or an INSERT, the code that reads a row of that list, and the parameter values. All three have the order in
/// which the record declares the columns, so nobody has to count. The record is inspected once; after that, a row costs
/// as much as with code written by hand.
/// </summary>
/// <typeparam name="T">
/// A record of members that are set once, or a positional one. Columns are text, whole numbers, truth values (0 and 1)
/// and bytes. </typeparam>
internal static class Row<T>
    where T : class
{
    private static readonly List<(string Name, PropertyInfo[] Path)> Leaves = [.. LeavesOf(typeof(T), [])];

    /// <summary>The column names, separated by commas.</summary>
    public static string Columns { get; } = string.Join(", ", Leaves.Select(l => l.Name));

    /// <summary>Number of columns. Further columns of a query begin at this index.</summary>
    public static int Count => Leaves.Count;

    /// <summary>The parameters of an INSERT of all of them: <c>$1, $2, …</c>.</summary>
    public static string Parameters { get; } = string.Join(", ", Leaves.Select((_, i) => $"${i + 1}"));

    /// <summary>Reads a row whose first columns are <see cref="Columns"/>.</summary>
    public static Func<DbDataReader, T> Read { get; } = CompileRead();

    /// <summary>Returns a row's values, in the order of <see cref="Parameters"/>.</summary>
    public static Func<T, object?[]> Values { get; } = CompileValues(Leaves);

    /// <summary>
    /// The assignments of an UPDATE, <c>name = $3, …</c>, of the columns that change (<see
    /// cref="ColumnAttribute.Changes"/>); <c>$1</c> and <c>$2</c> are the row's key.
    /// </summary>
    public static string Assignments { get; } =
        string.Join(", ", Changing.Select((leaf, i) => $"{leaf.Name} = ${i + 3}"));

    /// <summary>Returns a row's values for <see cref="Assignments"/>.</summary>
    public static object?[] ChangedValues(T row) => (_changedValues ??= CompileValues(Changing))(row);

    private static Func<T, object?[]>? _changedValues;

    private static IEnumerable<(string Name, PropertyInfo[] Path)> Changing =>
        Leaves.Where(leaf => leaf.Path[^1].GetCustomAttribute<ColumnAttribute>()!.Changes);

    private static IEnumerable<PropertyInfo> MembersOf(Type type) =>
        type.GetProperties()
            .Where(p => p.IsDefined(typeof(ColumnAttribute)))
            .OrderBy(p => p.DeclaringType == type)
            .ThenBy(p => p.MetadataToken);

    private static string? NameOf(PropertyInfo member) => member.GetCustomAttribute<ColumnAttribute>()!.Name;

    private static IEnumerable<(string Name, PropertyInfo[] Path)> LeavesOf(Type type, PropertyInfo[] path) =>
        MembersOf(type)
            .SelectMany(member =>
                NameOf(member) is { } name
                    ? [(name, [.. path, member])]
                    : LeavesOf(member.PropertyType, [.. path, member])
            );

    private static Func<DbDataReader, T> CompileRead()
    {
        var reader = Expression.Parameter(typeof(DbDataReader));
        var next = 0;
        return Expression.Lambda<Func<DbDataReader, T>>(Make(typeof(T)), reader).Compile();

        Expression Make(Type type)
        {
            var constructor = type.GetConstructors()[0];
            var members = MembersOf(type).ToList();
            return constructor.GetParameters().Length > 0
                ? Expression.New(constructor, members.Select(Value))
                : Expression.MemberInit(
                    Expression.New(constructor),
                    members.Select(member => Expression.Bind(member, Value(member)))
                );
        }

        Expression Value(PropertyInfo member) =>
            NameOf(member) is null
                ? Make(member.PropertyType)
                : Expression.Call(ReaderOf(member), reader, Expression.Constant(next++));
    }

    private static MethodInfo ReaderOf(PropertyInfo member)
    {
        var name = (member.PropertyType, IsNullable(member)) switch
        {
            (var type, false) when type == typeof(string) => nameof(RowExtensions.Text),
            (var type, true) when type == typeof(string) => nameof(RowExtensions.TextOrNull),
            (var type, _) when type == typeof(long) => nameof(RowExtensions.Long),
            (var type, _) when type == typeof(long?) => nameof(RowExtensions.LongOrNull),
            (var type, _) when type == typeof(bool) => nameof(RowExtensions.Flag),
            (var type, false) when type == typeof(byte[]) => nameof(RowExtensions.Bytes),
            (var type, true) when type == typeof(byte[]) => nameof(RowExtensions.BytesOrNull),
            _ => throw new InvalidOperationException($"{typeof(T).Name}.{member.Name} is of no type that is kept."),
        };
        return typeof(RowExtensions).GetMethod(name)!;
    }

    private static bool IsNullable(PropertyInfo member) =>
        new NullabilityInfoContext().Create(member).ReadState == NullabilityState.Nullable;

    private static Func<T, object?[]> CompileValues(IEnumerable<(string Name, PropertyInfo[] Path)> leaves)
    {
        var row = Expression.Parameter(typeof(T));
        var values = leaves.Select(leaf => Kept(leaf.Path.Aggregate((Expression)row, Expression.Property)));
        return Expression.Lambda<Func<T, object?[]>>(Expression.NewArrayInit(typeof(object), values), row).Compile();

        static Expression Kept(Expression value) =>
            Expression.Convert(
                value.Type == typeof(bool)
                    ? Expression.Condition(value, Expression.Constant(1L), Expression.Constant(0L))
                    : value,
                typeof(object)
            );
    }
}

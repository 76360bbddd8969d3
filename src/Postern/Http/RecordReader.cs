using System.Collections.Frozen;
using System.Globalization;
using System.Linq.Expressions;
using System.Reflection;
using System.Text.Json;

namespace Postern.Http;

/// <summary>
/// Reads the record of a request by the attributes of its members, which the document shows too. So a limit is written
/// once, and the document cannot differ from what is enforced.
/// </summary>
/// <typeparam name="T">
/// A record whose members all have a <see cref="MemberAttribute"/>: positional, or of properties that are set once.
/// </typeparam>
internal static class RecordReader<T>
    where T : class
{
    private static readonly ConstructorInfo Constructor = typeof(T).GetConstructors()[0];
    private static readonly Member[] Members =
    [
        .. IsPositional
            ? Constructor.GetParameters().Select(p => new Member(p, typeof(T).GetProperty(p.Name!)!))
            : typeof(T).GetProperties().Where(p => p.CanWrite).Select(p => new Member(p, p)),
    ];
    private static readonly Func<object?[], T> Make = Compile();

    private static bool IsPositional => Constructor.GetParameters().Length > 0;

    /// <summary>The names of its members on the wire.</summary>
    public static FrozenSet<string> Names { get; } = Members.Select(m => m.Name).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Whether members that the record does not name are faults.</summary>
    public static bool IsStrict { get; } = typeof(T).GetCustomAttribute<StrictAttribute>() is not null;

    /// <summary>
    /// Returns the record. Its faults are left in <paramref name="fields"/>; with any of them it is meaningless.
    /// </summary>
    /// <param name="fields">The object.</param>
    /// <param name="isPart">Whether any of its members may be left out: a change of what is there.</param>
    public static T Read(Fields fields, bool isPart = false)
    {
        var values = new object?[Members.Length];
        for (var i = 0; i < values.Length; i++)
            values[i] = Members[i].Read(fields, isPart);
        return Make(values);
    }

    /// <summary>Returns the record in a member, or null when it is missing.</summary>
    public static object? ReadMember(Fields fields, string name, bool isRequired) =>
        MemberValue.Object(fields, name, isRequired) is null ? null : fields.Part(name)!.Read<T>();

    /// <summary>Returns the records of a list, or null when it is missing or no list.</summary>
    public static object? ReadList(Fields fields, string name, int max, bool isRequired)
    {
        if (MemberValue.List(fields, name, max, isRequired) is not { } given)
            return null;
        var records = new List<T>(given.GetArrayLength());
        foreach (var item in given.EnumerateArray())
        {
            var at = $"{name}[{records.Count}]";
            if (item.ValueKind != JsonValueKind.Object)
            {
                fields.Fault(at, "must be an object");
                return null;
            }
            records.Add(fields.PartAt(at, item).Read<T>());
        }
        return records;
    }

    /// <summary>Returns the records of a map, by their names, or null when it is missing or no map.</summary>
    public static object? ReadMap(Fields fields, string name, int max, bool isRequired)
    {
        if (MemberValue.Map(fields, name, max, isRequired) is not { } given)
            return null;
        var records = new Dictionary<string, T>(StringComparer.Ordinal);
        foreach (var member in given.EnumerateObject())
        {
            var at = $"{name}.{member.Name}";
            if (member.Value.ValueKind == JsonValueKind.Object)
                records[member.Name] = fields.PartAt(at, member.Value).Read<T>();
            else
                fields.Fault(at, "must be an object");
        }
        return records;
    }

    private static Func<object?[], T> Compile()
    {
        var values = Expression.Parameter(typeof(object?[]));
        var typed = Members.Select((m, i) => Expression.Convert(At(values, i), m.Property.PropertyType));
        Expression made = IsPositional
            ? Expression.New(Constructor, typed)
            : Expression.MemberInit(
                Expression.New(Constructor),
                Members.Zip(typed, (m, value) => Expression.Bind(m.Property, value))
            );
        return Expression.Lambda<Func<object?[], T>>(made, values).Compile();
    }

    private static BinaryExpression At(Expression list, int index) =>
        Expression.ArrayIndex(list, Expression.Constant(index));

    private sealed class Member
    {
        private readonly bool _isRequired;
        private readonly MemberRead _read;

        /// <summary>A missing or faulty value must still fit the type of its parameter.</summary>
        private readonly object? _standard;

        public Member(ICustomAttributeProvider declared, PropertyInfo property)
        {
            Property = property;
            Name = Schemas.NameOf(property);
            var said =
                declared.GetCustomAttributes(typeof(MemberAttribute), false).OfType<MemberAttribute>().SingleOrDefault()
                ?? throw new InvalidOperationException($"{typeof(T).Name}.{property.Name} is not documented.");
            var inner = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            _isRequired = !Schemas.MayBeLeftOut(property, said);
            _read =
                said.ReaderOf(inner)
                ?? throw new InvalidOperationException($"{typeof(T).Name}.{property.Name} is of no kind to be read.");
            _standard =
                said.Default is { } given ? Convert.ChangeType(given, inner, CultureInfo.InvariantCulture)
                : property.PropertyType.IsValueType ? Activator.CreateInstance(property.PropertyType)
                : null;
        }

        public PropertyInfo Property { get; }

        public string Name { get; }

        public object? Read(Fields fields, bool isPart) => _read(fields, Name, _isRequired && !isPart) ?? _standard;
    }
}

using System.Reflection;

namespace Postern.Http;

/// <summary>
/// Reads the record of a request by what stands beside its members: the same attributes that the document shows. So a
/// bound is written once, and the document cannot say another than the one that is kept.
/// </summary>
/// <typeparam name="T">A positional record whose members all have a <see cref="MemberAttribute"/>.</typeparam>
internal static class RecordReader<T>
    where T : class
{
    private static readonly ConstructorInfo Constructor = typeof(T).GetConstructors()[0];
    private static readonly Func<Fields, object?>[] Members = [.. Constructor.GetParameters().Select(MemberOf)];

    /// <summary>Members that the record does not name are faults.</summary>
    public static bool IsStrict { get; } = typeof(T).GetCustomAttribute<StrictAttribute>() is not null;

    /// <summary>
    /// The record. Its faults are left in <paramref name="fields"/>, and with any of them it means nothing.
    /// </summary>
    public static T Read(Fields fields) => (T)Constructor.Invoke([.. Members.Select(read => read(fields))]);

    private static Func<Fields, object?> MemberOf(ParameterInfo parameter)
    {
        var said =
            parameter.GetCustomAttribute<MemberAttribute>()
            ?? throw new InvalidOperationException($"{typeof(T).Name}.{parameter.Name} is not documented.");
        var property = typeof(T).GetProperty(parameter.Name!)!;
        var name = Schemas.NameOf(property);
        var isRequired = !Schemas.MayBeLeftOut(property, said);
        var inner = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        Func<Fields, object?> read = (said, inner) switch
        {
            (TextAttribute { IsProse: true } text, _) => fields => fields.Prose(name, text.Min, text.Max),
            (TextAttribute text, _) => fields => fields.Text(name, text.Min, text.Max, isRequired, text.Trims),
            (WordAttribute word, _) => fields => fields.Word(name, word.All, isRequired),
            (WholeAttribute { HasManySpellings: true } whole, _) => fields =>
                fields.Integer(name, whole.Min, whole.Max),
            (WholeAttribute whole, var type) when type == typeof(long) => fields =>
                fields.Whole(name, whole.Min, whole.Max, isRequired),
            (TextsAttribute texts, _) => fields => fields.Texts(name, texts.MaxItems, texts.MaxLength, isRequired),
            (InstantAttribute, var type) when type == typeof(long) => fields => fields.Instant(name),
            (ChosenAttribute { IsObject: true }, _) => fields => fields.ContentObject(name, isRequired),
            (_, var type) when type == typeof(bool) => fields => fields.Flag(name),
            (_, { IsClass: true } type) when type.GetConstructors() is [_] && type != typeof(string) => NestedOf(
                type,
                name,
                isRequired
            ),
            _ => throw new InvalidOperationException($"{typeof(T).Name}.{parameter.Name} is of no kind to be read."),
        };
        // What a fault leaves out must fit its parameter all the same.
        var standard =
            said.Default is { } given
                ? Convert.ChangeType(given, inner, System.Globalization.CultureInfo.InvariantCulture)
            : parameter.ParameterType.IsValueType ? Activator.CreateInstance(parameter.ParameterType)
            : null;
        return fields => read(fields) ?? standard;
    }

    private static Func<Fields, object?> NestedOf(Type type, string name, bool isRequired)
    {
        var read = typeof(RecordReader<>)
            .MakeGenericType(type)
            .GetMethod(nameof(ReadMember))!
            .CreateDelegate<Func<Fields, string, bool, object?>>();
        return fields => read(fields, name, isRequired);
    }

    /// <summary>The record that a member holds; null when it is left out.</summary>
    public static object? ReadMember(Fields fields, string name, bool isRequired)
    {
        if (fields.Object(name, isRequired) is not { } given)
            return null;
        var inner = new Fields(given);
        var record = inner.Read<T>();
        inner.RefuseUnknownIfStrict();
        foreach (var (field, problem) in inner.Faults)
            fields.Fault($"{name}.{field}", problem);
        return record;
    }
}

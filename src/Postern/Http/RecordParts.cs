namespace Postern.Http;

/// <summary>Reads records inside other records: one, a list of them, or a map.</summary>
internal static class RecordParts
{
    public static bool IsRecord(Type type) => type.IsClass && type.GetMethod("<Clone>$") is not null;

    public static MemberRead ReaderOf(Type record)
    {
        var read = Method<Func<Fields, string, bool, object?>>(record, nameof(RecordReader<object>.ReadMember));
        return (fields, name, isRequired) => read(fields, name, isRequired);
    }

    /// <param name="record">What the list is of.</param>
    /// <param name="max">Items at most.</param>
    public static MemberRead ListReaderOf(Type record, int max)
    {
        var read = Method<Func<Fields, string, int, bool, object?>>(record, nameof(RecordReader<object>.ReadList));
        return (fields, name, isRequired) => read(fields, name, max, isRequired);
    }

    /// <param name="record">What the map is of.</param>
    /// <param name="max">Members at most.</param>
    public static MemberRead MapReaderOf(Type record, int max)
    {
        var read = Method<Func<Fields, string, int, bool, object?>>(record, nameof(RecordReader<object>.ReadMap));
        return (fields, name, isRequired) => read(fields, name, max, isRequired);
    }

    private static T Method<T>(Type record, string name)
        where T : Delegate => typeof(RecordReader<>).MakeGenericType(record).GetMethod(name)!.CreateDelegate<T>();
}

using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Postern.Http;

/// <summary>
/// Makes the JSON schemas of wire records, from their members and attributes (<see cref="MemberAttribute"/>). In a
/// request, nullable members may be missing. An answer contains every member, unless the attribute says that it may be
/// absent.
/// </summary>
internal sealed class Schemas
{
    private static readonly Dictionary<Type, string> Plain = new()
    {
        [typeof(string)] = "string",
        [typeof(bool)] = "boolean",
        [typeof(long)] = "integer",
        [typeof(int)] = "integer",
        [typeof(decimal)] = "number",
    };

    private readonly SortedDictionary<string, JsonObject> _components = new(StringComparer.Ordinal);

    /// <summary>The components that <see cref="Of"/> has referred to, by name.</summary>
    public JsonObject Components() => new(_components.Select(c => KeyValuePair.Create(c.Key, (JsonNode?)c.Value)));

    /// <summary>Returns the schema of a type; for a record, a reference to its component.</summary>
    /// <param name="type">A record, a list, a dictionary, or what JSON has.</param>
    /// <param name="isRead">Whether it is what a request holds. Requests are asked for before answers.</param>
    /// <param name="isPart">Whether any of its members may be left out: a change of what is there.</param>
    public JsonObject Of(Type type, bool isRead, bool isPart = false)
    {
        if (type == typeof(JsonElement))
            return [];
        if (Plain.TryGetValue(type, out var plain))
            return new() { ["type"] = plain };
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
            return new() { ["type"] = "array", ["items"] = Of(type.GetGenericArguments()[0], isRead) };
        if (type.IsArray)
            return new() { ["type"] = "array", ["items"] = Of(type.GetElementType()!, isRead) };
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>))
            return new() { ["type"] = "object", ["additionalProperties"] = Of(type.GetGenericArguments()[1], isRead) };
        var name = (isPart ? "PartOf" : "") + NameOf(type);
        if (_components.TryAdd(name, []))
            Fill(_components[name], type, isRead, isPart);
        return new() { ["$ref"] = "#/components/schemas/" + name };
    }

    /// <summary>Allows one more type of value.</summary>
    public static void Widen(JsonObject schema, string type)
    {
        if (schema["oneOf"] is JsonArray choices)
        {
            choices.Add(new JsonObject { ["type"] = type });
        }
        else if (schema["$ref"] is { } reference)
        {
            schema.Remove("$ref");
            JsonObject ofRecord = new() { ["$ref"] = reference.DeepClone() };
            schema["oneOf"] = new JsonArray(ofRecord, new JsonObject { ["type"] = type });
        }
        else if (schema["type"] is { } known)
        {
            var types = known is JsonArray several ? several : [known.DeepClone()];
            types.Add(type);
            schema["type"] = types.Parent is null ? types : types.DeepClone();
            if (type == "null" && schema["enum"] is JsonArray all)
                all.Add(null);
        }
        else if (type != "null")
        {
            // A value of any type may be null.
            schema["type"] = type;
        }
    }

    /// <summary>The name of a member on the wire.</summary>
    public static string NameOf(PropertyInfo property) =>
        property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name
        ?? JsonNamingPolicy.CamelCase.ConvertName(property.Name);

    /// <summary>Returns whether a request may leave a member out.</summary>
    public static bool MayBeLeftOut(PropertyInfo property, MemberAttribute said) =>
        said.Default is not null || IsNullable(property);

    private static bool IsNullable(PropertyInfo property) =>
        Nullable.GetUnderlyingType(property.PropertyType) is not null
        || (
            !IsArgument(property)
            && new NullabilityInfoContext().Create(property).ReadState == NullabilityState.Nullable
        );

    private static string NameOf(Type type) =>
        type.IsGenericType
            ? type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]
                + "Of"
                + NameOf(type.GetGenericArguments()[0])
            : type.Name;

    private void Fill(JsonObject schema, Type type, bool isRead, bool isPart)
    {
        var (members, required) = (new JsonObject(), new JsonArray());
        foreach (var (property, parameter) in MembersOf(type))
        {
            var said =
                property.GetCustomAttribute<MemberAttribute>()
                ?? parameter?.GetCustomAttribute<MemberAttribute>()
                ?? throw new InvalidOperationException($"{type.Name}.{property.Name} is not documented.");
            var name = NameOf(property);
            var mayBeAbsent = isRead
                ? MayBeLeftOut(property, said)
                : said.MayBeAbsent || property.GetCustomAttribute<JsonIgnoreAttribute>() is not null;
            members[name] = OfMember(property, said, isRead, mayBeAbsent);
            if (!mayBeAbsent && !isPart)
                required.Add(name);
        }
        schema["type"] = "object";
        if (required.Count > 0)
            schema["required"] = required;
        schema["properties"] = members;
        if (isRead)
            schema["additionalProperties"] = type.GetCustomAttribute<StrictAttribute>() is null;
        else if (type.GetCustomAttribute<HasMoreMembersAttribute>() is not null)
            schema["additionalProperties"] = true;
    }

    private JsonObject OfMember(PropertyInfo property, MemberAttribute said, bool isRead, bool mayBeAbsent)
    {
        var member = Of(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType, isRead);
        said.Describe(member);
        if (isRead ? mayBeAbsent : IsNullable(property) && !mayBeAbsent)
            Widen(member, "null");
        member["description"] = said.Description;
        if (isRead && said.Default is { } standard)
            member["default"] = JsonSerializer.SerializeToNode(standard, Wire.Json);
        return member;
    }

    /// <summary>Returns whether its type is the argument of a generic record, which is never null.</summary>
    private static bool IsArgument(PropertyInfo property) =>
        property.DeclaringType is { IsGenericType: true } type
        && type.GetGenericTypeDefinition().GetProperty(property.Name)!.PropertyType.IsGenericParameter;

    /// <summary>-</summary>
    private static IEnumerable<(PropertyInfo Property, ParameterInfo? Parameter)> MembersOf(Type type)
    {
        if (type.BaseType is { } ancestor && ancestor != typeof(object))
            foreach (var member in MembersOf(ancestor))
                yield return member;
        const BindingFlags own = BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly;
        var parameters = type.GetConstructors(own)
            .Where(c => !c.GetParameters().Any(p => p.ParameterType == type))
            .SelectMany(c => c.GetParameters())
            .ToLookup(p => p.Name, StringComparer.Ordinal);
        foreach (var property in type.GetProperties(own))
            yield return (property, parameters[property.Name].FirstOrDefault());
    }
}

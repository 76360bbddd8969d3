using System.Reflection;
using System.Text.Json.Nodes;

namespace Postern.Http;

/// <summary>One of a list of words.</summary>
internal sealed class WordAttribute(string description, params string[] all) : MemberAttribute(description)
{
    /// <summary>One of the words in a static member of a type.</summary>
    public WordAttribute(string description, Type owner, string member)
        : this(description, Held(owner, member)) { }

    public override void Describe(JsonObject schema) =>
        schema["enum"] = new JsonArray([.. all.Select(w => (JsonNode)w)]);

    public override MemberRead? ReaderOf(Type type) =>
        type == typeof(string) ? (fields, name, isRequired) => MemberValue.Word(fields, name, all, isRequired) : null;

    private static string[] Held(Type owner, string member)
    {
        const BindingFlags all = BindingFlags.Static | BindingFlags.Public;
        var held = owner.GetField(member, all)?.GetValue(null) ?? owner.GetProperty(member, all)?.GetValue(null);
        return held is IEnumerable<string> words
            ? [.. words]
            : throw new InvalidOperationException($"{owner.Name}.{member} holds no words.");
    }
}

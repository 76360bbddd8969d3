using System.Reflection;
using System.Reflection.Emit;

namespace Postern.Support;

/// <summary>
/// Which methods and fields the code of an assembly uses, read from its compiled methods. A use by the type itself does
/// not count. What is found only by reflection is not seen.
/// </summary>
internal sealed class CodeUses
{
    private const BindingFlags Declared =
        BindingFlags.Instance
        | BindingFlags.Static
        | BindingFlags.Public
        | BindingFlags.NonPublic
        | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<short, OpCode> Codes = typeof(OpCodes)
        .GetFields()
        .Select(f => (OpCode)f.GetValue(null)!)
        .ToDictionary(c => c.Value);

    private readonly Dictionary<int, HashSet<Type>> _users = [];

    public CodeUses(Assembly assembly)
    {
        foreach (var type in assembly.GetTypes())
        foreach (var method in type.GetMethods(Declared).Cast<MethodBase>().Concat(type.GetConstructors(Declared)))
            Read(method);
    }

    /// <summary>Returns whether any code uses a method or a field, its own type included.</summary>
    public bool IsUsed(MemberInfo member) => _users.ContainsKey(member.MetadataToken);

    /// <summary>Returns the types that use a method or a field, beside the type that declares it.</summary>
    public IEnumerable<Type> Of(MemberInfo member) =>
        _users.TryGetValue(member.MetadataToken, out var users)
            ? users.Where(u => u != Outermost(member.DeclaringType!))
            : [];

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    private void Read(MethodBase method)
    {
        if (method.GetMethodBody()?.GetILAsByteArray() is not { } code)
            return;
        for (var at = 0; at < code.Length; )
        {
            short value = code[at++];
            if (value == 0xFE)
                value = unchecked((short)(0xFE00 | code[at++]));
            var kind = Codes[value].OperandType;
            if (kind is OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineTok)
                Note(method, BitConverter.ToInt32(code, at));
            at += kind == OperandType.InlineSwitch ? 4 + (4 * BitConverter.ToInt32(code, at)) : Size(kind);
        }
    }

    private void Note(MethodBase method, int token)
    {
        var arguments = method.IsGenericMethod ? method.GetGenericArguments() : null;
        var member = method.Module.ResolveMember(token, method.DeclaringType!.GetGenericArguments(), arguments);
        if (member is not (MethodBase or FieldInfo) || member.Module != method.Module)
            return;
        if (!_users.TryGetValue(member.MetadataToken, out var users))
            _users[member.MetadataToken] = users = [];
        users.Add(Outermost(method.DeclaringType));
    }

    private static int Size(OperandType kind) =>
        kind switch
        {
            OperandType.InlineNone => 0,
            OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
            OperandType.InlineVar => 2,
            OperandType.InlineI8 or OperandType.InlineR => 8,
            _ => 4,
        };
}

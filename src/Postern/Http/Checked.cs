using System.Diagnostics.CodeAnalysis;

namespace Postern.Http;

/// <summary>
/// A value, or the refusal to answer instead: exactly one of the two. The compiler makes sure that a caller checks
/// which one it is (<see cref="Try"/>).
/// </summary>
internal readonly struct Checked<T>
    where T : notnull
{
    private readonly T? _value;
    private readonly Refusal? _refusal;

    private Checked(T? value, Refusal? refusal) => (_value, _refusal) = (value, refusal);

    /// <summary>Returns true with the value, or false with the refusal.</summary>
    public bool Try([NotNullWhen(true)] out T? value, [NotNullWhen(false)] out Refusal? refusal)
    {
        (value, refusal) = (_value, _refusal);
        if (value is null && refusal is null)
            throw new InvalidOperationException($"A default Checked<{typeof(T).Name}> holds nothing.");
        return refusal is null;
    }

    public static implicit operator Checked<T>(T value) => new(value, null);

    public static implicit operator Checked<T>(Refusal refusal) => new(default, refusal);
}

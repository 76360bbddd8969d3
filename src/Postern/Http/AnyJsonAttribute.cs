using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Postern.Http;

/// <summary>JSON of any kind that the caller chooses. A value that could not be stored is refused.</summary>
internal class AnyJsonAttribute(string description) : MemberAttribute(description)
{
    /// <summary>The most bytes; 0: as many as the body may have.</summary>
    public int MaxBytes { get; init; }

    /// <summary>The most characters; 0: as many as the body may have.</summary>
    public int MaxLength { get; init; }

    /// <summary>Whether a value that could not be stored is mended.</summary>
    public bool IsMended { get; init; }

    /// <summary>Whether it is read unchanged, whatever it is; its handler says what is wrong with it.</summary>
    public bool IsRaw { get; init; }

    public override MemberRead? ReaderOf(Type type)
    {
        if (type != typeof(JsonElement))
            return null;
        return IsRaw ? (fields, name, _) => fields.Find(name) : ReadKept;
    }

    /// <summary>Returns whether it is of an allowed kind; if not, adds a fault.</summary>
    protected virtual bool Fits(Fields fields, string name, JsonElement given) => true;

    private object? ReadKept(Fields fields, string name, bool isRequired)
    {
        if (fields.Find(name) is not { } given)
        {
            if (isRequired)
                fields.Fault(name, "is required");
            return null;
        }
        if (
            !Fits(fields, name, given)
            || (IsMended ? MemberValue.Content(fields, name) : MemberValue.Keepable(fields, name)) is not { } kept
            || !IsShortEnough(fields, name, kept)
        )
            return null;
        return kept;
    }

    private bool IsShortEnough(Fields fields, string name, JsonElement kept)
    {
        if (MaxBytes > 0 && JsonMarshal.GetRawUtf8Value(kept).Length > MaxBytes)
            fields.Fault(name, $"must have at most {MaxBytes} bytes");
        else if (MaxLength > 0 && Encoding.UTF8.GetCharCount(JsonMarshal.GetRawUtf8Value(kept)) > MaxLength)
            fields.Fault(name, $"must be at most {MaxLength} characters");
        else
            return true;
        return false;
    }
}

using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Postern.Http;

/// <summary>JSON of any kind that the caller chooses. What could not be kept of it is refused.</summary>
internal class AnyJsonAttribute(string words) : MemberAttribute(words)
{
    /// <summary>Bytes of it at most; 0: as many as the body may have.</summary>
    public int MaxBytes { get; init; }

    /// <summary>Characters of it at most; 0: as many as the body may have.</summary>
    public int MaxLength { get; init; }

    /// <summary>What could not be kept of it is mended.</summary>
    public bool IsMended { get; init; }

    /// <summary>It is read as it came, whatever it is: its handler says what is wrong with it.</summary>
    public bool IsRaw { get; init; }

    public override MemberRead? ReaderOf(Type type)
    {
        if (type != typeof(JsonElement))
            return null;
        return IsRaw ? (fields, name, _) => fields.Find(name) : ReadKept;
    }

    /// <summary>Returns whether it is of a kind that it may be; if not, a fault says so.</summary>
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

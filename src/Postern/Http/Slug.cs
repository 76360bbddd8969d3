namespace Postern.Http;

/// <summary>Names in paths: letters, digits, dots, underscores and hyphens.</summary>
internal static class Slug
{
    /// <summary>Adds a fault when a name is not valid. It must begin with a letter or a digit.</summary>
    /// <param name="fields">Where the fault is left.</param>
    /// <param name="field">What is named.</param>
    /// <param name="name">The name.</param>
    /// <param name="most">Characters at most.</param>
    /// <param name="verb">How the fault begins.</param>
    public static void Check(Fields fields, string field, string name, int most, string verb = "must be")
    {
        if (!IsName(name, most) || !char.IsAsciiLetterOrDigit(name[0]))
            fields.Fault(
                field,
                $"{verb} 1 to {most} letters, digits, dots, underscores and hyphens, the first a letter or digit"
            );
    }

    /// <summary>Returns whether a name consists of these characters only.</summary>
    public static bool IsName(string name, int most) =>
        name.Length > 0 && name.Length <= most && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
}

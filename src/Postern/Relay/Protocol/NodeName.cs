using System.Globalization;

namespace Postern.Relay.Protocol;

/// <summary>
/// The name of a plane's process and the number of its connection: <c>process_number</c>. A higher number replaces a
/// lower one, so a connection that is ending never comes back. A name without a number is one connection, however often
/// it is made.
/// </summary>
internal readonly record struct NodeName(string Process, long Number)
{
    private const int MostDigits = 9;

    public static NodeName Of(string node)
    {
        var at = node.LastIndexOf('_');
        return
            at > 0
            && node.Length - at - 1 is > 0 and <= MostDigits
            && long.TryParse(node.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new NodeName(node[..at], number)
            : new NodeName(node, 0);
    }

    public override string ToString() => $"{Process}_{Number}";
}

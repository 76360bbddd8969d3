using System.Reflection;
using Postern.Settings;

namespace Postern.Hosting;

/// <summary>
/// Loads every assembly that the server may come to use, before the first request. One that is first needed when the
/// process has no descriptor left cannot be loaded, and the runtime remembers that: what needs it would fail until the
/// next start.
/// </summary>
internal static class Assemblies
{
    /// <summary>What signs people in by an identity provider: needed by few.</summary>
    private static readonly string[] OfOidc =
    [
        "Microsoft.AspNetCore.Authentication.OpenIdConnect",
        "Microsoft.IdentityModel.Protocols",
        "Microsoft.IdentityModel.Protocols.OpenIdConnect",
        "System.IdentityModel.Tokens.Jwt",
    ];

    public static void LoadAll(PosternOptions options)
    {
        var known = options.Console.Oidc.IsOn()
            ? new HashSet<string>(StringComparer.Ordinal)
            : new HashSet<string>(OfOidc, StringComparer.Ordinal);
        var queue = new Queue<Assembly>([typeof(Assemblies).Assembly]);
        while (queue.TryDequeue(out var assembly))
            foreach (var name in assembly.GetReferencedAssemblies())
                if (known.Add(name.Name!) && TryLoad(name) is { } loaded)
                    queue.Enqueue(loaded);
    }

    private static Assembly? TryLoad(AssemblyName name)
    {
        try
        {
            return Assembly.Load(name);
        }
        catch (IOException)
        {
            // A library may name what it uses elsewhere than here: that is not there, and not missed.
            return null;
        }
    }
}

using System.Reflection;
using Postern.Settings;

namespace Postern.Hosting;

/// <summary>
/// Loads every assembly that the server may need, before the first request. When the process has no descriptor left, an
/// assembly cannot be loaded. The runtime remembers that, so the code that needs it would fail until the next start.
/// </summary>
internal static class Assemblies
{
    /// <summary>The assemblies for signing in with an identity provider; few installations need them.</summary>
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
            // A library may name assemblies for other systems. They are not here and not needed.
            return null;
        }
    }
}

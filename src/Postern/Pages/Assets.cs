using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.IO.Compression;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Pages;

/// <summary>
/// The files of the pages, from this binary: styles, modules, and the icons as one sprite. All have one digest in their
/// path, computed over all of them. So modules find each other by name, and a new binary has new paths. A file is
/// compressed when it is first asked for.
/// </summary>
internal static class Assets
{
    private const string Prefix = "console/";
    private const string Icon = "-16.svg";
    private const string Sprite = "icons.svg";
    private static readonly FrozenDictionary<string, byte[]> Files = Read();
    private static readonly ConcurrentDictionary<string, byte[]> Compressed = new(StringComparer.Ordinal);

    /// <summary>Hexadecimal, 16 characters.</summary>
    public static string Digest { get; } = DigestOf();

    /// <summary>Returns the file as it is, or null when there is none.</summary>
    public static byte[]? Find(string name) => Files.GetValueOrDefault(name);

    /// <summary>Returns an existing file, compressed with Brotli.</summary>
    public static byte[] CompressedOf(string name) => Compressed.GetOrAdd(name, static n => Compress(Files[n]));

    public static string TypeOf(string name) =>
        Path.GetExtension(name) switch
        {
            ".css" => "text/css; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        };

    private static FrozenDictionary<string, byte[]> Read()
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var sprite = new StringBuilder("<svg xmlns=\"http://www.w3.org/2000/svg\">");
        var assembly = Assembly.GetExecutingAssembly();
        foreach (var resource in assembly.GetManifestResourceNames().Order(StringComparer.Ordinal))
        {
            if (!resource.StartsWith(Prefix, StringComparison.Ordinal))
                continue;
            using var stream = assembly.GetManifestResourceStream(resource)!;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            var name = resource[Prefix.Length..];
            if (name.EndsWith(Icon, StringComparison.Ordinal))
                sprite.Append(SymbolOf(name[..^Icon.Length], Encoding.UTF8.GetString(bytes)));
            else
                files[name] = bytes;
        }
        files[Sprite] = Encoding.UTF8.GetBytes(sprite.Append("</svg>").ToString());
        return files.ToFrozenDictionary(StringComparer.Ordinal);
    }

    /// <summary>Returns the picture of an icon's file, with its name.</summary>
    private static string SymbolOf(string name, string svg)
    {
        var begin = svg.IndexOf('>', StringComparison.Ordinal) + 1;
        var end = svg.LastIndexOf("</svg>", StringComparison.Ordinal);
        return $"<symbol id=\"{name}\" viewBox=\"0 0 16 16\">{svg[begin..end]}</symbol>";
    }

    private static string DigestOf()
    {
        using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, bytes) in Files.OrderBy(f => f.Key, StringComparer.Ordinal))
        {
            sum.AppendData(Encoding.UTF8.GetBytes(name));
            sum.AppendData(bytes);
        }
        return Convert.ToHexStringLower(sum.GetHashAndReset().AsSpan(0, 8));
    }

    private static byte[] Compress(byte[] bytes)
    {
        using var target = new MemoryStream();
        using (var brotli = new BrotliStream(target, CompressionLevel.SmallestSize, leaveOpen: true))
            brotli.Write(bytes);
        return target.ToArray();
    }
}

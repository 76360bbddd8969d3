using System.Security.Cryptography;
using Postern.Pages;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>Vendored files are the files of npm, unchanged. Our own files stay small.</summary>
public sealed class AssetTests
{
    private const string Folder = "src/Postern/Pages/assets/";

    /// <summary>SHA-256 of the files as they are in the packages named by their folders.</summary>
    private static readonly (string File, string Digest)[] Vendored =
    [
        ("oat/LICENSE", "8e689e72c5de68083003ef22e99ffc875322968251eaf47dd88cbf33969e6326"),
        ("oat/oat.min.css", "271d2b00e839547c3f9179e21b3b2ead0ab2789e616642adc8bc07b9a35692cd"),
        ("oat/sidebar.js", "d53d62423358020c18872698a2449b632d75e95bc1d4fff175cbc161dca9da03"),
        ("uplot/LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"),
        ("uplot/uPlot.iife.min.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
        ("octicons/*", "ac6b3c8b98bba649a5133d9555056f3a9d3e93fe5cc5acb55fc22146b419e7d2"),
    ];

    [Fact]
    public void Vendored_files_are_unchanged()
    {
        foreach (var (file, digest) in Vendored)
            Assert.Equal((file, digest), (file, DigestOf(file)));
    }

    [Fact]
    public void Our_style_and_modules_stay_small()
    {
        var own = Directory.GetFiles(Repository.File(Folder + "console"));
        var style = Assert.Single(own, f => f.EndsWith(".css", StringComparison.Ordinal));
        Assert.True(File.ReadAllLines(style).Length <= 250);
        var modules = own.Where(f => f.EndsWith(".js", StringComparison.Ordinal)).ToList();
        Assert.True(modules.Sum(f => File.ReadAllLines(f).Length) <= 700);
        Assert.True(modules.Sum(f => new FileInfo(f).Length) <= 24 * 1024);
    }

    [Fact]
    public void Every_icon_that_is_vendored_is_in_the_sprite()
    {
        var sprite = System.Text.Encoding.UTF8.GetString(Assets.Find("icons.svg")!);
        foreach (var icon in Directory.GetFiles(Repository.File(Folder + "octicons"), "*-16.svg"))
            Assert.Contains($"id=\"{Path.GetFileName(icon)[..^7]}\"", sprite, StringComparison.Ordinal);
    }

    /// <summary>
    /// Returns the digest of a file. For a folder, it is the digest of its files' digests, in the order of their names.
    /// </summary>
    private static string DigestOf(string file)
    {
        var path = Repository.File(Folder + file);
        if (!file.EndsWith('*'))
            return Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));
        var digests = Directory
            .GetFiles(Path.GetDirectoryName(path)!)
            .Order(StringComparer.Ordinal)
            .Select(f => Path.GetFileName(f) + " " + Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(f))));
        return Convert.ToHexStringLower(
            SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', digests)))
        );
    }
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Postern.Hosting;

/// <summary>
/// Finds the owner of a file, which .NET does not tell. On Linux it calls <c>statx</c>, whose structure is the same on
/// every processor. On other systems the owner is not known; there, changing the mode fails for users who may not
/// change it.
/// </summary>
internal static partial class FileOwner
{
    private const int CurrentFolder = -100;
    private const uint OwnerAsked = 0x8;
    private const int OwnerAt = 20;
    private const int Size = 256;

    public static bool IsMe(string path)
    {
        if (!OperatingSystem.IsLinux())
            return true;
        var found = new byte[Size];
        return Stat(CurrentFolder, path, 0, OwnerAsked, found) == 0
            && BinaryPrimitives.ReadUInt32LittleEndian(found.AsSpan(OwnerAt)) == EffectiveUser();
    }

    [DllImport(
        "libc",
        EntryPoint = "statx",
        CharSet = CharSet.Ansi,
        BestFitMapping = false,
        ThrowOnUnmappableChar = true
    )]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Stat(
        int folder,
        [MarshalAs(UnmanagedType.LPUTF8Str)] string path,
        int flags,
        uint asked,
        byte[] found
    );

    [DllImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint EffectiveUser();
}

using System.Runtime.Versioning;

// File modes are part of how secrets are kept: the server runs where files have them.
[assembly: SupportedOSPlatform("linux")]
[assembly: SupportedOSPlatform("macos")]

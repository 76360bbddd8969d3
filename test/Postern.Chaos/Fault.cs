using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Chaos;

/// <summary>A kind of fault around the server.</summary>
internal enum Fault
{
    Kill,
    Freeze,
    Cut,
    BlackHole,
    Descriptors,
    ClockStep,
    FullDisk,
    LockedFile,
    DatabaseCut,
    DatabaseBlackHole,
    DatabaseCrash,
    HeldRows,
    SlowStatements,
    Terminated,
    PrimaryKilled,
    PrimaryFrozen,
    PatroniFrozen,
    SwitchOver,
}

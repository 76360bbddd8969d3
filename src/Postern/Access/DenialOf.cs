namespace Postern.Access;

/// <summary>Why a caller may not pass on a scope.</summary>
internal enum DenialOf
{
    /// <summary>It is wider than what the caller has.</summary>
    Width,

    /// <summary>The caller has it only by implication.</summary>
    Name,
}

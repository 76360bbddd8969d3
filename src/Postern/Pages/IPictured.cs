namespace Postern.Pages;

/// <summary>What a page shows as it is now: its changes are numbered, and once it is over none follows.</summary>
internal interface IPictured
{
    /// <summary>The number of its last change.</summary>
    long Revision { get; }

    /// <summary>Why no change will follow; null while one may.</summary>
    string? WhyOver { get; }
}

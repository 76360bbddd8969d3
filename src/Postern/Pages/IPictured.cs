namespace Postern.Pages;

/// <summary>
/// The present content of a page. Its changes are numbered; when the thing is over, no further change follows.
/// </summary>
internal interface IPictured
{
    /// <summary>The number of its last change.</summary>
    long Revision { get; }

    /// <summary>Why no change will follow; null while one may.</summary>
    string? WhyOver { get; }
}

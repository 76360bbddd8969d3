namespace Postern.Hosting;

/// <summary>Something that works but is weaker than it could be.</summary>
/// <param name="What">One word for the doctor's column.</param>
/// <param name="Message">What it is, and what to do.</param>
internal sealed record WeakSpot(string What, string Message);

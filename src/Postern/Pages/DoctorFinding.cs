namespace Postern.Pages;

/// <summary>A finding of the doctor.</summary>
/// <param name="Level"><see cref="Ok"/>, <see cref="Weak"/> or <see cref="Wrong"/>.</param>
/// <param name="What">One word or two for its column.</param>
/// <param name="Message">What it is, and what to do.</param>
internal sealed record DoctorFinding(string Level, string What, string Message)
{
    public const string Ok = "ok";
    public const string Weak = "weak";
    public const string Wrong = "wrong";
}

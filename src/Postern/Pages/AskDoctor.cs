namespace Postern.Pages;

/// <summary>What the doctor says of the running server: looked at anew when the last look is a minute old.</summary>
internal delegate Task<DoctorReport> AskDoctor();

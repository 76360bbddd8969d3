namespace Postern.Pages;

/// <summary>Asks the doctor about the running server. It checks again when the last check is a minute old.</summary>
internal delegate Task<DoctorReport> AskDoctor();

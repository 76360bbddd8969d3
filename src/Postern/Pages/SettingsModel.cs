using Postern.Access;

namespace Postern.Pages;

/// <summary>The settings of a person, and the sessions that the person may end.</summary>
/// <param name="Sessions">The living ones, newest first.</param>
/// <param name="AreAll">They are everybody's, not his own.</param>
internal sealed record SettingsModel(IReadOnlyList<ConsoleSession> Sessions, bool AreAll);

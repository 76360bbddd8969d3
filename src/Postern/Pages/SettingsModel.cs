using Postern.Access;

namespace Postern.Pages;

/// <summary>What a person may set, and the sessions that he may end.</summary>
/// <param name="Sessions">The living ones, newest first.</param>
/// <param name="AreAll">They are everybody's, not his own.</param>
internal sealed record SettingsModel(IReadOnlyList<ConsoleSession> Sessions, bool AreAll);

using Postern.Http;

namespace Postern.Pages;

/// <summary>The content of an error page.</summary>
/// <param name="Form">What was sent, to be shown again; null where there is none.</param>
internal sealed record ErrorModel(Refusal Refusal, ConsoleForm? Form);

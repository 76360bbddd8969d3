namespace Postern.Hosting;

internal sealed record WelcomeView(string Name, string Docs, string Openapi, string Health, string Readiness);

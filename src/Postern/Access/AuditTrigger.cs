namespace Postern.Access;

/// <summary>A trigger that exists, as the audit names it.</summary>
/// <param name="Project">Whose it is.</param>
/// <param name="Name">As scopes name it: <c>user/{owner}/{id}</c>.</param>
/// <param name="Uid">Its own id: one that is made again under the name has another.</param>
internal sealed record AuditTrigger(string Project, string Name, string Uid);

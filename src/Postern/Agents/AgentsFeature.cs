using Postern.Access;
using Postern.Storage;

namespace Postern.Agents;

/// <summary>Composes agents: who they are.</summary>
internal static class AgentsFeature
{
    public static IServiceCollection AddAgents(this IServiceCollection services)
    {
        services.AddSingleton<ProjectSeed>(AgentStore.SeedAsync).AddSingleton<AgentStore>().AddSingleton<AgentAsks>();
        return services;
    }
}

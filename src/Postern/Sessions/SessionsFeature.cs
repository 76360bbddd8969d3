using Postern.Access;
using Postern.Deliveries;
using Postern.Http;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>Composes sessions: conversations and their channels.</summary>
internal static class SessionsFeature
{
    public static IServiceCollection AddSessions(this IServiceCollection services)
    {
        services
            .AddSingleton<ErrorFormat>(SessionFamily.Instance)
            .AddSingleton<Reactions<SessionCreated>>()
            .AddSingleton<Reactions<SessionRunStarted>>()
            .AddSingleton<Reactions<TurnBegan>>()
            .AddSingleton<Reactions<TurnEnded>>()
            .AddSingleton<Reactions<SessionEnded>>()
            .AddSingleton<Reactions<SessionForgotten>>()
            .AddSingleton<SessionReactions>();
        services
            .AddSingleton<SessionEvents>()
            .AddSingleton<SessionStore>()
            .AddSingleton<SessionCounts>()
            .AddSingleton<SessionMatches>()
            .AddSingleton<RecordStore>()
            .AddSingleton<Transcript>()
            .AddSingleton<Conversation>()
            .AddSingleton<Appends>()
            .AddSingleton<Turns>()
            .AddSingleton<SessionDoor>();
        services
            .AddSingleton<SessionStart>()
            .AddSingleton<SessionTokens>()
            .AddSingleton<TurnAssemblers>()
            .AddSingleton<SessionRoutes>()
            .AddSingleton<ChannelRoutes>()
            .AddSingleton<HiddenSubjects, InternalSubjects>()
            .AddBackground<SessionKeeper>()
            .AddBackground<SessionRetention>();
        return services;
    }

    public static Doors MapSessions(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<SessionRoutes>().Map(doors);
        services.GetRequiredService<ChannelRoutes>().Map(doors);
        return doors;
    }
}

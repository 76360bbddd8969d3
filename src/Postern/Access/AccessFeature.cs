using Postern.Http;
using Postern.Storage;

namespace Postern.Access;

/// <summary>Composes access: doors, keys, tokens, signatures, the audit.</summary>
internal static class AccessFeature
{
    public static IServiceCollection AddAccess(this IServiceCollection services)
    {
        services
            .AddSingleton<KeyStore>()
            .AddSingleton<KnownProjects>()
            .AddSingleton<KeyRing>()
            .AddSingleton<Revocations>()
            .AddSingleton<Tokens>()
            .AddSingleton<RunAttempts>()
            .AddSingleton<ConsoleSessions>()
            .AddSingleton<CredentialReader>()
            .AddSingleton(s => new BodyRoom(
                BodyRoom.OfThisProcess,
                http =>
                    http.Features.Get<RequestCaller>()?.Party
                    ?? "address " + s.GetRequiredService<CredentialReader>().AddressOf(http)
            ));
        services
            .AddSingleton<FailedCredentials>()
            .AddSingleton<VerificationPlaces>()
            .AddSingleton<TokenBuckets>()
            .AddSingleton<Rates>()
            .AddSingleton<SenderGate>()
            .AddSingleton<AccessInMemory>()
            .AddSingleton<Mandates>()
            .AddSingleton<Gate>()
            .AddSingleton<Projects>();
        services
            .AddSingleton<KeyAdmin>()
            .AddSingleton<AuditStore>()
            .AddSingleton<AuditRoutes>()
            .AddSingleton<KeyRoutes>()
            .AddSingleton<CallbackSecrets>()
            .AddSingleton<CallbackCredentials>()
            .AddSingleton<CallbackSecretRoutes>()
            .AddSingleton<ApprovalServices>()
            .AddSingleton<TokenRoutes>()
            .AddBackground<AccessWatch>()
            .AddBackground<Audit>();
        services.AddBackground<AccessRetention>();
        return services;
    }

    public static Doors MapAccess(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<KeyRoutes>().Map(doors);
        services.GetRequiredService<AuditRoutes>().Map(doors);
        services.GetRequiredService<TokenRoutes>().Map(doors);
        services.GetRequiredService<CallbackSecretRoutes>().Map(doors);
        return doors;
    }
}

using Postern.Access;
using Postern.Deliveries;
using Postern.Storage;

namespace Postern.Approvals;

/// <summary>Composes approvals: questions to people.</summary>
internal static class ApprovalsFeature
{
    public static IServiceCollection AddApprovals(this IServiceCollection services)
    {
        services
            .AddSingleton<ApprovalStore>()
            .AddSingleton<ApprovalLinks>()
            .AddSingleton<ApprovalsAside>()
            .AddSingleton<ApprovalEvents>()
            .AddSingleton<Reactions<QuestionAsked>>()
            .AddSingleton<Reactions<QuestionEnded>>()
            .AddSingleton<ApprovalRequests>()
            .AddSingleton<AddLink>(s => delivery => s.GetRequiredService<ApprovalRequests>().AddLinkAsync(delivery))
            .AddSingleton<ApprovalDecisions>()
            .AddSingleton<ApprovalWaiters>()
            .AddSingleton<ApprovalRoutes>()
            .AddSingleton<SelfApproval>();
        services
            .AddSingleton<DecisionRoutes>()
            .AddSingleton<ApprovalServiceRoutes>()
            .AddSingleton<ApprovalPageRoutes>()
            .AddSingleton<DeliveryPurpose, ApprovalCallback>()
            .AddBackground<ApprovalExpirer>();
        return services;
    }

    public static Doors MapApprovals(this Doors doors, IServiceProvider services)
    {
        services.GetRequiredService<ApprovalRoutes>().Map(doors);
        services.GetRequiredService<DecisionRoutes>().Map(doors);
        services.GetRequiredService<ApprovalServiceRoutes>().Map(doors);
        services.GetRequiredService<ApprovalPageRoutes>().Map(doors);
        return doors;
    }
}

namespace Postern.Storage;

/// <summary>The topics that are not the id of a session.</summary>
internal static class Topics
{
    /// <summary>A key, a token's revocation or a secret changed.</summary>
    public const string Access = "access";

    /// <summary>A trigger was put, changed or removed, which may open or close its public URL.</summary>
    public const string Doors = "doors";

    /// <summary>A run became due.</summary>
    public const string Runs = "runs";

    /// <summary>A delivery became due.</summary>
    public const string Deliveries = "deliveries";

    /// <summary>A capture of a trigger changed.</summary>
    public static string Captures(string project, string trigger) => project + "/captures/" + trigger;

    /// <summary>An item in a list of a project changed: <c>runs</c>, <c>sessions</c>, and so on.</summary>
    public static string List(string project, string list) => project + "/list/" + list;

    /// <summary>A bulk job was started.</summary>
    public const string Bulk = "bulk";

    /// <summary>A run of a <c>pull</c> agent can be claimed.</summary>
    public static string Claimable(string project, string agent) => project + "/claim/" + agent;

    /// <summary>A session was created under a name that clients may already wait for.</summary>
    public static string Named(string project, string externalId) => project + "/" + externalId;
}

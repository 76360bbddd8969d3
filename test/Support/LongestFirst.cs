using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Postern.Support.LongestFirst))]

namespace Postern.Support;

/// <summary>
/// Begins with the classes that take longest. Classes run beside each other; one that begins last would run alone.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    /// <summary>By how long they take, in any of the projects.</summary>
    internal static readonly string[] Long =
    [
        "ConsolePageTests",
        "PlanTests",
        "TextContract",
        "BulkWalkTests",
        "PackageTests",
        "DeliveryCrashTests",
        "InboundCrashTests",
        "KeeperTests",
        "TimeMatrixContract",
        "ConsoleTimeMatrixContract",
        "TimeMatrixTests",
        "RelayTransportTests",
        "RelayedPeopleTests",
        "ConsoleLiveTests",
        "ApprovalCrashTests",
        "PlaneCrashTests",
        "ProviderTests",
        "DocumentWalkTests",
    ];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(
        IReadOnlyCollection<TTestCollection> testCollections
    )
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(Place).ThenBy(c => c.UniqueID, StringComparer.Ordinal)];

    private static int Place<TTestCollection>(TTestCollection collection)
        where TTestCollection : ITestCollection
    {
        // Of a class without a collection of its own: "Test collection for Postern.Contract.PlanTests (id: …)".
        var place = Array.FindIndex(Long, name => $"{collection.TestCollectionDisplayName} ".Contains($".{name} "));
        return place < 0 ? Long.Length : place;
    }
}

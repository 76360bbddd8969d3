using Microsoft.AspNetCore.Routing.Patterns;
using Postern.Http;

namespace Postern.Access;

/// <summary>
/// The routes of the server. No route can be declared without a credential, no gate stands in front of them, and there
/// is no list of exemptions: each route's own delegate asks <see cref="Gate"/> for its credential and then calls its
/// handler. <see cref="Guard"/> reads what was really mapped, and refuses to start when any endpoint, even a library's,
/// names no credential.
/// </summary>
internal sealed class Doors(Gate gate)
{
    private readonly List<Door> _doors = [];

    public IReadOnlyList<Door> Table => _doors;

    public DoorGroup Group(string prefix, ErrorFormat family) => new(this, prefix, family);

    internal Door Add(Door door)
    {
        door.CheckHandlerFits();
        _doors.Add(door);
        return door;
    }

    /// <summary>Maps every declared door, and for each path the refusal of other methods.</summary>
    public void MapTo(IEndpointRouteBuilder app)
    {
        var endpoints = new List<Endpoint>();
        foreach (var door in _doors)
        {
            endpoints.Add(Endpoint(door, door.Method == Door.AnyMethod ? "POST" : door.Method));
            // The document shows a door of all methods as its POST; all methods have the same handler.
            if (door.Method == Door.AnyMethod)
                endpoints.Add(Endpoint(door, null));
        }
        foreach (var path in _doors.Where(d => d.Method != Door.AnyMethod).GroupBy(d => d.Path, StringComparer.Ordinal))
        {
            var refusal = new OtherMethods(
                string.Join(", ", path.Select(d => d.Method).Order(StringComparer.Ordinal)),
                path.Select(d => d.RelayedAs).FirstOrDefault(c => c is not null)
            );
            var family = path.First().Family;
            var builder = new RouteEndpointBuilder(
                http => refusal.AnswerAsync(http, family),
                RoutePatternFactory.Parse(path.Key),
                order: 0
            )
            {
                DisplayName = "other methods " + path.Key,
            };
            builder.Metadata.Add(refusal);
            builder.Metadata.Add(family);
            endpoints.Add(builder.Build());
        }
        app.DataSources.Add(new DefaultEndpointDataSource(endpoints));
    }

    private Endpoint Endpoint(Door door, string? method)
    {
        var builder = new RouteEndpointBuilder(
            http => gate.EnterAsync(http, door),
            RoutePatternFactory.Parse(door.Path),
            order: 0
        )
        {
            DisplayName = (method ?? "any") + " " + door.Path,
        };
        builder.Metadata.Add(door);
        builder.Metadata.Add(door.Family);
        if (method is not null)
            builder.Metadata.Add(new HttpMethodMetadata([method]));
        return builder.Build();
    }

    /// <summary>
    /// Reads the endpoints that were mapped, from the application itself (the data source in dependency injection is
    /// empty before the host runs), and throws unless each names its credential.
    /// </summary>
    public static void Guard(IEndpointRouteBuilder app)
    {
        var endpoints = app.DataSources.SelectMany(s => s.Endpoints).ToList();
        if (endpoints.Count == 0)
            throw new InvalidOperationException("The door guard saw no routes: it ran before they were mapped.");
        var bare = endpoints
            .Where(e => e.Metadata.GetMetadata<Door>() is null && e.Metadata.GetMetadata<OtherMethods>() is null)
            .Select(e => e.DisplayName)
            .ToList();
        if (bare.Count > 0)
            throw new InvalidOperationException(
                "Routes without a named credential: " + string.Join(", ", bare) + ". Declare them through Doors."
            );
    }

    /// <summary>Returns the golden table, one route on each line, sorted.</summary>
    public string Print() =>
        string.Concat(_doors.Select(d => d.ToString().TrimEnd() + "\n").Order(StringComparer.Ordinal));
}

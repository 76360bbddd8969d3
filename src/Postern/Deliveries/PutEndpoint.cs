using Postern.Http;

namespace Postern.Deliveries;

[Strict]
internal sealed record PutEndpoint(
    [Text("Where events are sent.", 1, 2048)] string Url,
    [Texts("The types of events: names, prefixes with .*, or *.", 50, 64, MinItems = 1)] IReadOnlyList<string> Events,
    [Text("Signs the events: whsec_…. Without one the server makes one, and the answer shows it.", 1, 256)]
        string? Secret,
    [Whole("Events a second at most.", 1, 100_000)] long? RateLimit,
    [Member("Whether events about one subject are sent one after another.", Default = true)] bool Ordered,
    [Member("Whether events are sent.", Default = true)] bool Enabled,
    [Member("Whether it is sent the links of questions. For administrators.", Default = false)] bool Links
);

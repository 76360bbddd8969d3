using Postern.Http;

namespace Postern.Hosting;

internal sealed record HealthView(
    [Member("ok, or ready.")] string Status,
    [Member("The kind of database.")] string? Database,
    [Member("The version of its schema.")] int? Schema
);

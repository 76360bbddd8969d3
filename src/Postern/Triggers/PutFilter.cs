using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>Conditions that must all hold; <see cref="InboundFilter"/> describes them.</summary>
[Strict]
internal sealed record PutFilter(
    [AnyJson("Names with lists of values or with a condition, or a list of conditions with a name.", IsRaw = true)]
        JsonElement? Headers,
    [AnyJson("A list of conditions with a path.", IsRaw = true)] JsonElement? Body
);

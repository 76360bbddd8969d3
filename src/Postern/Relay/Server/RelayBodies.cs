using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>Reads the record of a body whose bytes are in memory already, because the handshake covers them.</summary>
internal static class RelayBodies
{
    public static Checked<T> Read<T>(HttpContext http, RequestBody body)
        where T : class
    {
        if (!body.Parse().Try(out var json, out var invalid))
            return invalid;
        http.Response.RegisterForDispose(json);
        if (json.RootElement.ValueKind != System.Text.Json.JsonValueKind.Object)
            return Refusal.BadRequest("Request body must be a JSON object", "invalid_body");
        var fields = new Fields(json.RootElement);
        var record = fields.Read<T>();
        return fields.Refusal() is { } wrong ? wrong : record;
    }
}

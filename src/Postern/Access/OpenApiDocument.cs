using System.Reflection;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Postern.Access;

/// <summary>
/// The OpenAPI document is made from the doors: the same declarations that enforce. The framework reads what each endpoint takes
/// and gives; the rest (parameters, what opens it, its scope) is put on from the door.
/// </summary>
internal static class OpenApiDocument
{
    private static readonly MethodInfo Shape = typeof(OpenApiDocument).GetMethod(nameof(Handle), BindingFlags.Static | BindingFlags.NonPublic)!;

    /// <summary>What the framework's explorer reads of an endpoint.</summary>
    public static IEnumerable<object> Metadata(Door door)
    {
        if (door.Hidden) yield break;
        yield return Shape;
        yield return new Microsoft.AspNetCore.Routing.EndpointNameAttribute(NameOf(door));
        yield return new TagsAttribute(TagOf(door));
        // No "accepts" metadata: routing would turn other content types away, and these doors judge bodies by their bytes.
        foreach (var (status, body, media) in door.Answers) yield return new ProducesResponseTypeMetadata(status, body ?? typeof(void), body is null ? [] : [media]);
    }

    public static void Configure(OpenApiOptions options)
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo { Title = "Postern", Version = "1", Description = "The front door of an agent platform. Every route names the credential that opens it." };
            document.Servers = [];
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
            {
                ["key"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "A project's key, pst_…" },
                ["apiKey"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.ApiKey, In = ParameterLocation.Header, Name = "X-API-Key", Description = "A project's key, pst_…" },
                ["internalKey"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.ApiKey, In = ParameterLocation.Header, Name = "X-Internal-API-Key", Description = "A project's key, pst_…" },
                ["token"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "JWT", Description = "A signed token with scopes" },
                ["runToken"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "JWT", Description = "The token of one attempt of one run, from its dispatch or claim, while the attempt has the run" },
                ["callbackToken"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.ApiKey, In = ParameterLocation.Header, Name = Credentials.CallbackTokenHeader, Description = "The token of one attempt of one run, from its dispatch" },
                ["internalCallbackSecret"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.ApiKey, In = ParameterLocation.Header, Name = "X-Callback-Secret", Description = "A project's callback secret" },
                ["signature"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.ApiKey, In = ParameterLocation.Header, Name = "webhook-signature", Description = "A signature over the raw body, in the header and form of the sender's scheme" },
                ["operator"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "A key, or an identity from a trusted proxy" },
            };
            return Task.CompletedTask;
        });
        options.AddOperationTransformer(async (operation, context, cancel) =>
        {
            if (context.Description.ActionDescriptor.EndpointMetadata.OfType<Door>().FirstOrDefault() is not { } door) return;
            Describe(operation, door, context.Document!);
            foreach (var (status, bodies) in door.Alternatives)
            {
                var alternatives = new List<IOpenApiSchema>();
                foreach (var type in bodies) alternatives.Add(await context.GetOrCreateSchemaAsync(type, null, cancel));
                if (operation.Responses?[status.ToString()] is OpenApiResponse { Content: { } content }) content[door.Family.ContentType.Split(';')[0]] = new OpenApiMediaType { Schema = new OpenApiSchema { OneOf = alternatives } };
            }
            if (door.Request is not { } body) return;
            var schema = await context.GetOrCreateSchemaAsync(body, null, cancel);
            operation.RequestBody = new OpenApiRequestBody { Required = true, Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal) { [door.RequestMedia] = new() { Schema = schema } } };
        });
    }

    private static void Describe(OpenApiOperation operation, Door door, Microsoft.OpenApi.OpenApiDocument document)
    {
        operation.OperationId = NameOf(door);
        operation.Summary = door.Summary;
        operation.Description = $"Opens to: {Door.Words(door.Opens)}. Scope: {door.Rule.Words}.";
        operation.Parameters = [];
        foreach (var segment in door.Path.Split('/').Where(s => s.StartsWith('{')))
            operation.Parameters.Add(Parameter(segment.Trim('{', '}', '*'), ParameterLocation.Path, null, required: true));
        foreach (var (name, place, words) in door.Parameters)
            operation.Parameters.Add(Parameter(name, place == "query" ? ParameterLocation.Query : ParameterLocation.Header, words, required: false));
        operation.Security = [.. SchemesOf(door.Opens).Select(scheme => new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(scheme, document)] = [] })];
        foreach (var (status, body, media) in door.Answers)
        {
            if (body is not null || status < 400 || operation.Responses?[status.ToString()] is not OpenApiResponse response) continue;
            response.Content ??= new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal);
            response.Content[media] = new OpenApiMediaType();
        }
    }

    private static OpenApiParameter Parameter(string name, ParameterLocation place, string? words, bool required) =>
        new() { Name = name, In = place, Description = words, Required = required, Schema = new OpenApiSchema { Type = JsonSchemaType.String } };

    private static IEnumerable<string> SchemesOf(Opens opens)
    {
        if ((opens & (Opens.Key | Opens.PersonalKey)) != 0)
        {
            yield return "key";
            yield return "apiKey";
        }
        if ((opens & Opens.InternalKey) != 0) yield return "internalKey";
        if ((opens & Opens.Token) != 0) yield return "token";
        if ((opens & Opens.RunToken) != 0) yield return "runToken";
        if ((opens & Opens.CallbackToken) != 0) yield return "callbackToken";
        if ((opens & Opens.CallbackSecret) != 0) yield return "internalCallbackSecret";
        if ((opens & Opens.Signature) != 0) yield return "signature";
        if ((opens & Opens.Operator) != 0) yield return "operator";
    }

    private static string NameOf(Door door) =>
        door.Method.ToLowerInvariant() + string.Concat(door.Path.Split('/', '-', '.').Where(s => s.Length > 0).Select(s => char.ToUpperInvariant(s.Trim('{', '}', '*')[0]) + s.Trim('{', '}', '*')[1..]));

    private static string TagOf(Door door) =>
        door.Path switch
        {
            var p when p.Contains("approval", StringComparison.Ordinal) => "Approvals",
            var p when p.Contains("session", StringComparison.Ordinal) => p.StartsWith("/sessions", StringComparison.Ordinal) ? "History" : "Sessions",
            var p when p.Contains("/agents", StringComparison.Ordinal) => "Agents",
            var p when p.Contains("/triggers", StringComparison.Ordinal) || p.Contains("/callbacks", StringComparison.Ordinal) => "Triggers",
            var p when p.Contains("/runs", StringComparison.Ordinal) || p.Contains("/jobs", StringComparison.Ordinal) || p.Contains("/workflows", StringComparison.Ordinal) => "Runs",
            var p when p.Contains("/deliveries", StringComparison.Ordinal) || p.Contains("/events", StringComparison.Ordinal) || p.Contains("/webhook-endpoints", StringComparison.Ordinal) => "Deliveries",
            var p when p.Contains("/auth", StringComparison.Ordinal) || p.EndsWith("/jwt", StringComparison.Ordinal) => "Tokens",
            var p when p.StartsWith("/api", StringComparison.Ordinal) => "Administration",
            _ => "Server",
        };

    /// <summary>The shape that every handler has for the explorer: nothing is bound from its parameters.</summary>
    private static Task Handle(HttpContext http) => Task.CompletedTask;
}

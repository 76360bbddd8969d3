using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Postern.Access;

namespace Postern.Support;

/// <summary>A session of the console, as a browser holds it.</summary>
internal sealed record ConsoleCookie(string Value)
{
    public (string Name, string Value)[] Headers => [("Cookie", $"{ConsoleSessions.Cookie}={Value}")];

    /// <summary>The token of the session's forms, under a mask of zeros.</summary>
    public string FormToken { get; } =
        Base64Url.EncodeToString([
            .. new byte[HMACSHA256.HashSizeInBytes],
            .. HMACSHA256.HashData(Encoding.UTF8.GetBytes(Value), "form of the console"u8),
        ]);

    /// <summary>Makes a session of a new key with these scopes. Returns both.</summary>
    public static async Task<(KeyRow Key, ConsoleCookie Cookie)> OfAsync(TestServer server, params string[] scopes)
    {
        var project = await server.ProjectAsync();
        var (row, _) = await server
            .App.Services.GetRequiredService<KeyAdmin>()
            .CreateAsync(project, "console", "live", scopes, null, "test")
            .ValueAsync();
        return (row, await OfAsync(server, row));
    }

    /// <summary>A session of a key.</summary>
    public static async Task<ConsoleCookie> OfAsync(TestServer server, KeyRow key) =>
        new(
            await server
                .App.Services.GetRequiredService<ConsoleSessions>()
                .BeginAsync(new ConsolePerson(key.Project, key.Id, key.Digest), "127.0.0.1", "test")
        );

    /// <summary>The body of a form of this session, with a mark of its own.</summary>
    public string Form(string fields = "", string? once = null) =>
        $"_csrf={FormToken}&_once={once ?? Guid.NewGuid().ToString("N")}&{fields}".TrimEnd('&');

    /// <summary>Sends a form of this session.</summary>
    public Task<Answer> PostAsync(TestServer server, string path, string fields = "", string? once = null) =>
        server.SendAsync(
            HttpMethod.Post,
            path,
            null,
            Form(fields, once),
            [.. Headers, ("Content-Type", "application/x-www-form-urlencoded")]
        );
}

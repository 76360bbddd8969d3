using Json.Schema;

namespace Postern.Support;

/// <summary>
/// Compares each exchange of a test with openapi.json, and fails the test that made it. An answer must have a status, a
/// content type and a body as documented, without undocumented members. An accepted request must be one that the
/// document allows. Exchanges without a documented path, and the text of a stream, are not compared.
/// </summary>
internal sealed class DocumentCheck(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    private static readonly Lazy<ApiDocument> Document = new(ApiDocument.Read);

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request,
        CancellationToken cancellationToken
    )
    {
        // A body of bytes can be read twice; other contents are streams that a test still uses.
        var sent = request.Content is null or ByteArrayContent
            ? await (request.Content?.ReadAsByteArrayAsync(cancellationToken) ?? Task.FromResult(Array.Empty<byte>()))
            : null;
        var path = PathOf(request.RequestUri!);
        var response = await base.SendAsync(request, cancellationToken);
        var method = request.Method.Method;
        if (!Methods.Contains(method) || Document.Value.Find(path, method) is not { } operation)
            return response;
        var problems = await operation.ProblemsOfAnswerAsync(response, cancellationToken);
        if (response.IsSuccessStatusCode)
            problems.AddRange(operation.ProblemsOfRequest(request, sent));
        if (problems.Count == 0)
            return response;
        Assert.Fail($"{request.Method} {operation.Path} is not as openapi.json says:\n{string.Join('\n', problems)}");
        return response;
    }

    /// <summary>As it was sent, because the URI class undoes some escapes.</summary>
    private static string PathOf(Uri uri)
    {
        var text = uri.IsAbsoluteUri ? uri.PathAndQuery : uri.OriginalString;
        return text.Split('?', 2)[0];
    }
}

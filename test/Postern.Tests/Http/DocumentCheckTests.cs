using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Postern.Support;

namespace Postern.Tests.Http;

/// <summary>
/// The check of every exchange against openapi.json finds faults: a check that passes everything would prove nothing.
/// </summary>
public sealed class DocumentCheckTests
{
    private const string Reached = """{"status":"ok","database":null,"schema":null}""";

    [Theory]
    [InlineData("GET", "/healthz", 200, Reached)]
    [InlineData("GET", "/no/such/path", 299, "anything")]
    public async Task An_exchange_as_documented_passes(string method, string path, int status, string body) =>
        Assert.Equal(status, (int)(await SendAsync(method, path, null, status, body)).StatusCode);

    [Theory]
    [InlineData("GET", "/healthz", null, 299, Reached)]
    [InlineData("GET", "/healthz", null, 200, """{"status":"ok","database":null,"schema":null,"more":1}""")]
    [InlineData("GET", "/healthz", null, 200, """{}""")]
    [InlineData("GET", "/healthz", null, 200, """{"status":5,"database":null,"schema":null}""")]
    [InlineData("GET", "/api/v1/runs", null, 200, """{"data":[{"id":"run_1"}]}""")]
    [InlineData("POST", "/api/v1/auth/revoke", """{"jti":5}""", 200, """{"revoked":true}""")]
    [InlineData("POST", "/api/v1/auth/revoke", """{"jti":"a"}""", 401, """{"title":"Unauthorized"}""")]
    public async Task An_undocumented_exchange_fails_its_test(
        string method,
        string path,
        string? sent,
        int status,
        string body
    ) => await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(() => SendAsync(method, path, sent, status, body));

    /// <summary>Sends a request through the check, with a fixed answer.</summary>
    private static async Task<HttpResponseMessage> SendAsync(
        string method,
        string path,
        string? sent,
        int status,
        string body
    )
    {
        using var client = new HttpClient(new DocumentCheck(new Given(status, body)));
        using var request = new HttpRequestMessage(new HttpMethod(method), "http://server.example" + path);
        if (sent is not null)
            request.Content = new StringContent(sent, Encoding.UTF8, "application/json");
        return await client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    private sealed class Given(int status, string body) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel)
        {
            var answer = new HttpResponseMessage((HttpStatusCode)status)
            {
                RequestMessage = request,
                Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)),
            };
            answer.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            return Task.FromResult(answer);
        }
    }
}

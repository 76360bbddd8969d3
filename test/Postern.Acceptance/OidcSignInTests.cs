using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// Signing in with an identity provider in a real browser; and a program without a provider does not load that code.
/// </summary>
public sealed class OidcSignInTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-oidc-").FullName;

    private string Data => Path.Combine(_folder, "data");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_person_goes_to_the_provider_and_comes_back_to_the_page_that_he_asked_for(bool scripts)
    {
        await using var provider = await OpenIdProvider.StartAsync();
        await using var server = await TestServer.StartAsync(set: OidcBrowser.By(provider));
        await using var browser = await ConsoleBrowser.StartAsync(server);
        var page = await browser.NewPageAsync(scripts);
        var said = new List<string>();
        page.Console += (_, message) => said.Add(message.Text);
        // From the provider's site, as with a link in an alert; the strict cookie still works.
        await page.GotoAsync(server.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal) + "/healthz");
        await page.GotoAsync(server.Url + "/console/runs?phase=failed");
        await page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Sign in with" }).ClickAsync();
        await page.ArrivesAsync(provider.Url + "/*");
        await page.Locator("#go").ClickAsync();
        await page.ArrivesAsync(server.Url + "/console/runs?phase=failed");
        Assert.Equal("Runs", await page.Locator("h1").InnerTextAsync());
        Assert.Contains("ada@example.com", await page.ContentAsync(), StringComparison.Ordinal);
        // Going back opens no page that signs in a second time, and signs nobody out.
        await page.GotoAsync(server.Url + "/console/runs");
        Assert.Equal("Runs", await page.Locator("h1").InnerTextAsync());
        Assert.DoesNotContain(said, s => s.Contains("Policy", StringComparison.OrdinalIgnoreCase));

        provider.Person = new()
        {
            ["sub"] = "2",
            ["email"] = "eve@example.com",
            ["email_verified"] = true,
        };
        var stranger = await browser.NewPageAsync(scripts);
        await stranger.GotoAsync(server.Url + "/console/sign-in");
        await stranger.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Sign in with" }).ClickAsync();
        await stranger.Locator("#go").ClickAsync();
        await stranger.GetByText("has no role here").WaitForAsync();
        var cookies = await stranger.Context.CookiesAsync();
        Assert.DoesNotContain(cookies, c => c.Name == "postern_console");
    }

    [Fact]
    public async Task A_server_without_a_provider_does_not_load_what_signs_in_by_one()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        await using (var server = await ServerProcess.StartAsync($"--data {Data} --urls http://127.0.0.1:0"))
        {
            using var client = server.Client(server.RootKey);
            await client.GetStringAsync("/console/sign-in");
            Assert.Equal(404, (int)(await client.GetAsync("/console/oidc/start")).StatusCode);
            Assert.DoesNotContain("OpenIdConnect", await LoadedAsync(server), StringComparison.Ordinal);
        }
        await using (
            var server = await ServerProcess.StartAsync($"--data {Data} --urls http://127.0.0.1:0", By(provider))
        )
        {
            using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });
            Assert.Equal(302, (int)(await client.GetAsync(server.Url + "/console/oidc/start")).StatusCode);
            // It is seen where it is loaded.
            Assert.Contains("OpenIdConnect", await LoadedAsync(server), StringComparison.Ordinal);
        }

        static Task<string> LoadedAsync(ServerProcess server) => File.ReadAllTextAsync($"/proc/{server.Id}/maps");
    }

    [Fact]
    public async Task The_doctor_asks_the_provider_and_names_what_is_missing()
    {
        var provider = await OpenIdProvider.StartAsync();
        await using (await ServerProcess.StartAsync($"--data {Data} --urls http://127.0.0.1:0")) { }
        var good = await DoctorAsync(By(provider));
        Assert.True(good.Code == 0, good.Out);
        Assert.Contains($"the identity provider at {provider.Url} answers", good.Out, StringComparison.Ordinal);

        var without = await DoctorAsync(
            new(By(provider), StringComparer.Ordinal) { ["POSTERN_Console__Oidc__ClientSecret"] = "" }
        );
        Assert.Equal(1, without.Code);
        Assert.Contains("Postern:Console:Oidc:ClientSecret is missing", without.Out, StringComparison.Ordinal);

        var environment = By(provider);
        await provider.DisposeAsync();
        var away = await DoctorAsync(environment);
        Assert.Equal(1, away.Code);
        Assert.Contains("cannot be used", away.Out, StringComparison.Ordinal);
        Assert.DoesNotContain(OpenIdProvider.ClientSecret, away.Out + without.Out, StringComparison.Ordinal);

        var (code, _, error) = await PosternCommand.RunAsync(
            $"serve --data {Data} --urls http://127.0.0.1:0",
            new Dictionary<string, string> { ["POSTERN_Console__Oidc__Authority"] = "https://login.example.com" }
        );
        Assert.Equal(2, code);
        Assert.Contains("Postern:Console:Oidc:ClientId is missing", error, StringComparison.Ordinal);
    }

    private Task<(int Code, string Out, string Error)> DoctorAsync(Dictionary<string, string> environment) =>
        PosternCommand.RunAsync(
            $"doctor --data {Data} --urls http://127.0.0.1:{PostgresServer.FreePort()}",
            environment
        );

    private static Dictionary<string, string> By(OpenIdProvider provider) =>
        new(StringComparer.Ordinal)
        {
            ["POSTERN_Console__Oidc__Authority"] = provider.Url,
            ["POSTERN_Console__Oidc__ClientId"] = OpenIdProvider.ClientId,
            ["POSTERN_Console__Oidc__ClientSecret"] = OpenIdProvider.ClientSecret,
            ["POSTERN_Operators__Roles__ada@example.com"] = "admin",
        };
}

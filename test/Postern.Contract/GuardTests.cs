using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Postern.Access;
using Postern.Http;

namespace Postern.Contract;

/// <summary>
/// The guard of the door table: it reads what was really mapped, and refuses endpoints without a credential.
/// </summary>
public sealed class GuardTests
{
    private static Task<IResult> Open(HttpContext http) => Task.FromResult(Results.Ok());

    private static Task<IResult> Closed(HttpContext http, ProjectCaller caller) => Task.FromResult(Results.Ok());

    [Fact]
    public void Refuses_an_endpoint_without_a_named_credential_and_an_empty_table()
    {
        var app = WebApplication.CreateSlimBuilder().Build();
        Assert.Contains(
            "saw no routes",
            Assert.Throws<InvalidOperationException>(() => Doors.Guard(app)).Message,
            StringComparison.Ordinal
        );
        app.MapGet("/from-a-library", () => "open to all");
        Assert.Contains(
            "/from-a-library",
            Assert.Throws<InvalidOperationException>(() => Doors.Guard(app)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Refuses_a_handler_that_does_not_fit_its_credential()
    {
        var doors = new Doors(null!);
        var group = doors.Group("/x", ProblemFormat.Instance);
        Assert.Throws<InvalidOperationException>(() => group.Get("/a", Credentials.Key, Open));
        Assert.Throws<InvalidOperationException>(() => group.Get("/b", Credentials.Anyone, "read:sessions", Closed));
        Assert.Throws<InvalidOperationException>(() => group.Get("/c", default, "read:sessions", Closed));
        Assert.Throws<InvalidOperationException>(() => group.Get("/d", Credentials.Key, Authorization.None, Closed));
        Assert.Equal("/x/e", group.Get("/e", Credentials.Key, "read:sessions", Closed).Path);
    }
}

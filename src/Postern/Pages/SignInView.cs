using Postern.Access;
using Postern.Settings;

namespace Postern.Pages;

/// <summary>Shows the sign-in page, with the ways to sign in that this request can use.</summary>
internal sealed class SignInView(
    PageWriter writer,
    CredentialReader credentials,
    Projects projects,
    KeyRing keys,
    PosternOptions options
)
{
    /// <param name="problem">Why the last try opened nothing; null at first.</param>
    /// <param name="next">Where to go afterwards.</param>
    public async Task<IResult> ShowAsync(HttpContext http, int status, string? problem, string next)
    {
        var person = await credentials.TryProxyAsync(http) is { Caller: { } vouched } ? vouched.Authority.Actor : null;
        var root = await projects.DefaultAsync() is { } project ? await keys.RootAsync(project) : null;
        var oidc = options.Console.Oidc;
        return await writer.PageAsync<SignInPage, SignInModel>(
            writer.ContextOfAnyone(http),
            new SignInModel(problem, next, person, root?.Row.Id)
            {
                Provider = oidc.IsOn() ? new Uri(oidc.Authority).Authority : null,
            },
            status
        );
    }
}

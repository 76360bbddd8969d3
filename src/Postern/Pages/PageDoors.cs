using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// Declares the console's doors: pages, and forms that do something. A form's handler runs only after the form is known
/// to be from a page of the same session. A form cannot be declared without this check.
/// </summary>
internal sealed class PageDoors(Doors doors, PageWriter writer)
{
    /// <summary>All doors of the server; complete when every feature has declared its own.</summary>
    public IReadOnlyList<Door> Table => doors.Table;

    private readonly DoorGroup _group = doors.Group(ConsoleFamily.Prefix, ConsoleFamily.Instance);

    /// <summary>Doors without a session: signing in, and the files of the pages.</summary>
    public DoorGroup OfAnyone => _group;

    /// <summary>A page.</summary>
    /// <param name="path">Under <c>/console</c>.</param>
    /// <param name="rule">What the door asks, or in words what the handler asks.</param>
    public Door Page(string path, Authorization rule, Func<PageContext, Task<IResult>> show) =>
        _group
            .Get(
                path,
                Credentials.Console,
                rule,
                async (http, caller) => await show(await writer.ContextAsync(http, caller))
            )
            .Hide();

    /// <summary>Declares the stream of a page that updates itself, with the same scope.</summary>
    public Door Stream(string path, Authorization rule, Func<PageContext, Task<IResult>> follow) =>
        _group
            .Get(path, Credentials.Console, rule, (http, caller) => follow(writer.ContextOf(http, caller)))
            .Header("Last-Event-ID", "Resume after this number")
            .Hide();

    /// <summary>Declares a form that does something.</summary>
    /// <param name="fields">The names of its fields; <c>name*</c> is all that begin so.</param>
    public Door Form(
        string path,
        Authorization rule,
        IReadOnlyList<string> fields,
        Func<PageContext, ConsoleForm, Task<IResult>> act,
        int limit = ConsoleForm.MaxBytes
    ) =>
        _group
            .Post(
                path,
                Credentials.Console,
                rule,
                async (http, caller) =>
                {
                    var session = (ConsoleAuthority)caller.Authority;
                    return (await ConsoleForm.ReadAsync(http, session, fields, limit)).Try(
                        out var form,
                        out var refusal
                    )
                        ? await act(await writer.ContextAsync(http, caller), form)
                        : refusal;
                }
            )
            .Accepts<string>("application/x-www-form-urlencoded")
            .Hide();
}

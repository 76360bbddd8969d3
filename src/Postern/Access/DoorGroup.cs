using Postern.Http;

namespace Postern.Access;

/// <summary>Routes with one prefix and one error format.</summary>
internal sealed class DoorGroup(Doors doors, string prefix, ErrorFormat family)
{
    public Door Get(string path, Credentials opens, Authorization rule, ProjectHandler handler) =>
        Add("GET", path, opens, rule, handler);

    public Door Head(string path, Credentials opens, Authorization rule, ProjectHandler handler) =>
        Add("HEAD", path, opens, rule, handler);

    public Door Post(string path, Credentials opens, Authorization rule, ProjectHandler handler) =>
        Add("POST", path, opens, rule, handler);

    public Door Put(string path, Credentials opens, Authorization rule, ProjectHandler handler) =>
        Add("PUT", path, opens, rule, handler);

    public Door Patch(string path, Credentials opens, Authorization rule, ProjectHandler handler) =>
        Add("PATCH", path, opens, rule, handler);

    public Door Delete(string path, Credentials opens, Authorization rule, ProjectHandler handler) =>
        Add("DELETE", path, opens, rule, handler);

    /// <summary>A door that accepts every method and checks the method itself.</summary>
    public Door Any(string path, Credentials opens, Authorization rule, OpenHandler handler) =>
        Add(Door.AnyMethod, path, opens, rule, handler);

    /// <summary>A door whose handler verifies the credential.</summary>
    public Door Get(string path, Credentials opens, Authorization rule, OpenHandler handler) =>
        Add("GET", path, opens, rule, handler);

    /// <summary>A door whose handler verifies the credential.</summary>
    public Door Post(string path, Credentials opens, Authorization rule, OpenHandler handler) =>
        Add("POST", path, opens, rule, handler);

    /// <summary>A door whose handler verifies the credential.</summary>
    public Door Delete(string path, Credentials opens, Authorization rule, OpenHandler handler) =>
        Add("DELETE", path, opens, rule, handler);

    /// <summary>A door that is open to anyone. It must be declared explicitly.</summary>
    public Door Get(string path, Credentials opens, OpenHandler handler) =>
        Add("GET", path, opens, Authorization.None, handler);

    /// <summary>A door that is open to anyone. It must be declared explicitly.</summary>
    public Door Post(string path, Credentials opens, OpenHandler handler) =>
        Add("POST", path, opens, Authorization.None, handler);

    private Door Add(string method, string path, Credentials opens, Authorization rule, Delegate handler) =>
        doors.Add(new Door(method, prefix + path, opens, rule, family, handler));
}

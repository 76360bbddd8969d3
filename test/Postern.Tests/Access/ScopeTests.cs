using FsCheck;
using FsCheck.Fluent;
using Postern.Access;

namespace Postern.Tests.Access;

public sealed class ScopeTests
{
    [Theory]
    [InlineData("read:sessions", "read", "sessions", null, true)]
    [InlineData("read:sessions", "read", "sessions", "x", true)]
    [InlineData("read:sessions:x", "read", "sessions", "x", true)]
    [InlineData("read:sessions:x", "read", "sessions", "y", false)]
    [InlineData("read:sessions:x", "read", "sessions", null, false)]
    [InlineData("read:sessions:a:b:c", "read", "sessions", "a:b:c", true)]
    [InlineData("read:all", "read", "approvals", "x", true)]
    [InlineData("read:all", "write", "sessions", "x", false)]
    [InlineData("write:sessions", "trigger", "sessions", null, true)]
    [InlineData("write:sessions", "update", "sessions", null, true)]
    [InlineData("write:sessions", "read", "sessions", null, false)]
    [InlineData("read:sessions", "write", "sessions", null, false)]
    [InlineData("admin:sessions", "write", "sessions", null, false)]
    [InlineData("admin:sessions", "admin", "sessions", "x", true)]
    [InlineData("admin:sessions", "admin", "tasks", null, false)]
    [InlineData("*:sessions", "admin", "sessions", "x", true)]
    [InlineData("*:sessions", "read", "tasks", null, false)]
    [InlineData("admin", "anything", "sessions", "x", true)]
    [InlineData("operator.read", "read", "runs", null, true)]
    [InlineData("operator.sessions.write", "write", "sessions", null, true)]
    [InlineData("operator.sessions.write", "write", "runs", null, false)]
    public void A_scope_covers_what_it_says(string scope, string action, string type, string? id, bool covers) =>
        Assert.Equal(covers, ScopeSet.Parse([scope]).Allows(new RequiredScope(action, type, id)));

    [Fact]
    public void No_scopes_grant_nothing_and_an_unrestricted_key_is_granted_nothing_explicitly()
    {
        Assert.False(ScopeSet.Parse([]).Allows(new RequiredScope("read", "sessions")));
        Assert.True(ScopeSet.Everything.Allows(new RequiredScope("admin", "all")));
        Assert.False(ScopeSet.Everything.Allows(new RequiredScope("admin", "all", How: Given.Explicitly)));
    }

    /// <summary>
    /// A token narrowed with its key, an identity narrowed by its request: exactly what both allow is allowed.
    /// </summary>
    [Fact]
    public void The_intersection_of_two_scope_sets_allows_what_both_allow()
    {
        var actions = Gen.Elements("read", "write", "admin", "trigger", "batchTrigger", "update", "*");
        var types = Gen.Elements("sessions", "tasks", "runs", "approvals", "all");
        var ids = Gen.Elements<string?>(null, "x", "y", "x:y");
        var scope = Gen.OneOf(
            from action in actions
            from type in types
            from id in ids
            select new Scope(action, type, id).ToString(),
            Gen.Elements("admin", "operator.read", "operator.write", "operator.sessions.write", "not a scope")
        );
        var sets = Gen.OneOf(
            Gen.Constant(ScopeSet.Everything),
            Gen.Constant(ScopeSet.Nothing),
            Gen.ListOf(scope).Select(list => ScopeSet.Parse(list))
        );
        var needs = Gen.OneOf(
            from action in Gen.Elements("read", "write", "admin", "trigger", "batchTrigger", "update")
            from type in Gen.Elements("sessions", "tasks", "runs", "approvals")
            from id in ids
            select new RequiredScope(action, type, id),
            Gen.Constant(RequiredScope.FullAdmin)
        );
        Prop.ForAll(
                Arb.From(sets),
                Arb.From(sets),
                Arb.From(needs),
                (a, b, need) => a.Intersect(b).Allows(need) == (a.Allows(need) && b.Allows(need))
            )
            .Check(Config.QuickThrowOnFailure.WithMaxTest(5000));
    }

    /// <summary>A right by name is in no intersection unless one of the two gives it by name.</summary>
    [Fact]
    public void An_intersection_gives_nothing_by_name_that_neither_side_gives_by_name()
    {
        foreach (
            var (a, b) in new[]
            {
                ("write:all", "*:all"),
                ("admin", "*:all"),
                ("admin", "admin"),
                ("write:all", "admin"),
            }
        )
            Assert.False(
                ScopeSet
                    .Parse([a])
                    .Intersect(ScopeSet.Parse([b]))
                    .Allows(new RequiredScope("write", "approvals", "x", How: Given.ByName)),
                $"{a} and {b}"
            );
    }

    /// <summary>A minted scope is never wider: everything that it covers, the minter's scope covers.</summary>
    [Fact]
    public void A_minted_scope_never_covers_more_than_its_minters()
    {
        var actions = Gen.Elements("read", "write", "admin", "trigger", "batchTrigger", "update", "*");
        var types = Gen.Elements("sessions", "tasks", "runs", "all");
        var ids = Gen.Elements<string?>(null, "x", "y", "x:y");
        var scopes = from action in actions from type in types from id in ids select new Scope(action, type, id);
        var needs =
            from action in Gen.Elements("read", "write", "admin", "trigger", "update")
            from type in Gen.Elements("sessions", "tasks", "runs")
            from id in ids
            select new RequiredScope(action, type, id);
        Prop.ForAll(
                Arb.From(scopes),
                Arb.From(scopes),
                Arb.From(needs),
                (minter, minted, need) => !minted.IsWithin(minter) || !minted.Covers(need) || minter.Covers(need)
            )
            .QuickCheckThrowOnFailure();
    }
}

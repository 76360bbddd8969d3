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
        Assert.Equal(covers, ScopeSet.Parse([scope]).Allows(new Need(action, type, id)));

    [Fact]
    public void No_scopes_grant_nothing_and_an_unrestricted_key_is_granted_nothing_explicitly()
    {
        Assert.False(ScopeSet.Parse([]).Allows(new Need("read", "sessions")));
        Assert.True(ScopeSet.Everything.Allows(new Need("admin", "all")));
        Assert.False(ScopeSet.Everything.Allows(new Need("admin", "all", How: Given.Explicitly)));
    }

    /// <summary>What may be minted is never wider: whatever the minted scope covers, the minter's covers.</summary>
    [Fact]
    public void A_minted_scope_never_covers_more_than_its_minters()
    {
        var actions = Gen.Elements("read", "write", "admin", "trigger", "batchTrigger", "update", "*");
        var types = Gen.Elements("sessions", "tasks", "runs", "all");
        var ids = Gen.Elements<string?>(null, "x", "y", "x:y");
        var scopes = from action in actions from type in types from id in ids select new Scope(action, type, id);
        var needs = from action in Gen.Elements("read", "write", "admin", "trigger", "update") from type in Gen.Elements("sessions", "tasks", "runs") from id in ids select new Need(action, type, id);
        Prop.ForAll(Arb.From(scopes), Arb.From(scopes), Arb.From(needs), (minter, minted, need) => !minted.IsWithin(minter) || !minted.Covers(need) || minter.Covers(need)).QuickCheckThrowOnFailure();
    }
}

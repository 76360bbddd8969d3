using FsCheck;
using FsCheck.Fluent;
using Postern.Pages;

namespace Postern.Tests.Pages;

/// <summary>How a page shows an id: clients choose many of them, so it may be any text.</summary>
public sealed class IdentTests
{
    [Theory]
    [InlineData("short_id", "short_id")]
    [InlineData("run_01m8g2yt2xfdqar9sshqgp5znr", "run_01m8…gp5znr")]
    [InlineData("0b9f3c1e-6a3d-4d7b-9a5e-1f2c3d4e5f60", "0b9f3c1e…4e5f60")]
    [InlineData("https://id.example/a-long-name-of-somebody_", "https://id.example/a-long-name-of-somebody_")]
    [InlineData("a_long_name_that_somebody_chose", "a_long…_chose")]
    public void Its_kind_and_its_ends_are_shown(string id, string shown) => Assert.Equal(shown, Ident.Short(id));

    [Fact]
    public void Every_text_is_shown()
    {
        var texts = ArbMap.Default.GeneratorFor<char>().Or(Gen.Elements('_', '-')).ArrayOf().ToArbitrary();
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(2000),
            Prop.ForAll(texts, chars => Ident.Short(new string(chars)).Length <= Math.Max(60, chars.Length))
        );
    }
}

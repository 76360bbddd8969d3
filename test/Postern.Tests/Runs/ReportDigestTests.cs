using System.Globalization;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Postern.Http;
using Postern.Runs;

namespace Postern.Tests.Runs;

/// <summary>When two reports are equal: properties over generated JSON in different spellings.</summary>
public sealed class ReportDigestTests
{
    private abstract record Json
    {
        internal sealed record Null : Json;

        internal sealed record Flag(bool Value) : Json;

        internal sealed record Number(long Digits, int Exponent) : Json;

        internal sealed record Text(string Value) : Json;

        internal sealed record List(Json[] Items) : Json;

        internal sealed record Object((string Name, Json Value)[] Members) : Json;
    }

    private static Gen<Json> Values(int depth)
    {
        var text = Gen.Elements("", "a", "é", "\"", "\\", "\u20ac", "😀", "\n", "key", "1", "true")
            .Select(t => (Json)new Json.Text(t));
        var plain = Gen.OneOf(
            Gen.Constant((Json)new Json.Null()),
            Gen.Elements(true, false).Select(b => (Json)new Json.Flag(b)),
            text,
            from digits in Gen.Choose(-100_000, 100_000)
            from exponent in Gen.Choose(-5, 5)
            select (Json)new Json.Number(digits, exponent)
        );
        if (depth == 0)
            return plain;
        return Gen.OneOf(
            plain,
            Values(depth - 1).ArrayOf(3).Select(items => (Json)new Json.List(items)),
            Values(depth - 1)
                .ArrayOf(3)
                .Select(values =>
                    (Json)new Json.Object([.. values.Select((v, i) => ($"n{i}é"[..(1 + (i % 3))] + i, v))])
                )
        );
    }

    /// <summary>One of many spellings: order of members, white space, escapes, forms of numbers.</summary>
    private static string Spell(Json value, Random random)
    {
        var space = random.Next(3) == 0 ? " \n" : "";
        return space
            + value switch
            {
                Json.Null => "null",
                Json.Flag f => f.Value ? "true" : "false",
                Json.Text t => SpellText(t.Value, random),
                Json.Number n => SpellNumber(n, random),
                Json.List l => "[" + string.Join(",", l.Items.Select(i => Spell(i, random))) + "]",
                Json.Object o => "{"
                    + string.Join(
                        ",",
                        o.Members.OrderBy(_ => random.Next())
                            .Select(m => SpellText(m.Name, random) + space + ":" + Spell(m.Value, random))
                    )
                    + "}",
                _ => throw new InvalidOperationException(),
            };
    }

    private static string SpellText(string text, Random random)
    {
        var spelt = new StringBuilder("\"");
        foreach (var rune in text.EnumerateRunes())
        {
            // A pair of surrogates is escaped as a whole.
            if (rune.Value is '"' or '\\' or '\n' || random.Next(2) == 0)
                foreach (var c in rune.ToString())
                    spelt.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else
                spelt.Append(rune);
        }
        return spelt.Append('"').ToString();
    }

    private static string SpellNumber(Json.Number n, Random random) =>
        random.Next(4) switch
        {
            0 => $"{n.Digits}e{n.Exponent}",
            1 => $"{n.Digits}.0E{n.Exponent:+0;-0;+0}",
            2 => $"{n.Digits}00e{n.Exponent - 2}",
            _ => Plain(n),
        };

    private static string Plain(Json.Number n) =>
        n.Exponent >= 0
            ? n.Digits + new string('0', n.Digits == 0 ? 0 : n.Exponent)
            : (n.Digits * (decimal)Math.Pow(10, n.Exponent)).ToString("0.##########", CultureInfo.InvariantCulture);

    private static string FormOf(string json) => ReportDigest.FormOf(JsonSerializer.Deserialize<JsonElement>(json));

    [Fact]
    public void Two_spellings_of_a_value_have_one_form() =>
        Prop.ForAll(
                Values(3).ToArbitrary(),
                ArbMap.Default.ArbFor<int>(),
                (value, seed) => FormOf(Spell(value, new Random(seed))) == FormOf(Spell(value, new Random(seed + 1)))
            )
            .QuickCheckThrowOnFailure();

    [Fact]
    public void Two_values_that_differ_have_two_forms() =>
        Prop.ForAll(
                Values(2).ToArbitrary(),
                Values(2).ToArbitrary(),
                (a, b) =>
                {
                    var (left, right) = (Spell(a, new Random(1)), Spell(b, new Random(1)));
                    var same = JsonElement.DeepEquals(
                        JsonSerializer.Deserialize<JsonElement>(left),
                        JsonSerializer.Deserialize<JsonElement>(right)
                    );
                    return same == (FormOf(left) == FormOf(right));
                }
            )
            .QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("1", "1.0", true)]
    [InlineData("1", "1e0", true)]
    [InlineData("100", "1E+2", true)]
    [InlineData("-0", "0.0", true)]
    [InlineData("0.1", "1e-1", true)]
    [InlineData("1", "\"1\"", false)]
    [InlineData("1", "true", false)]
    [InlineData("9007199254740993", "9007199254740992", false)]
    [InlineData("[1,null]", "[1]", false)]
    [InlineData("{\"a\":null}", "{}", false)]
    [InlineData("1e99999999999999999999", "1", false)]
    public void Numbers_count_by_value_and_types_by_kind(string a, string b, bool same) =>
        Assert.Equal(same, FormOf(a) == FormOf(b));

    [Fact]
    public void A_null_field_is_an_absent_one_and_an_instant_counts_by_value()
    {
        var updates = JsonSerializer.Deserialize<JsonElement>("{\"a\":1,\"b\":null}");
        var without = JsonSerializer.Deserialize<JsonElement>("{\"a\":1.0}");
        Assert.Equal(
            ReportDigest.Of(("status", "x"), ("artifact_updates", updates), ("actor_type", null)),
            ReportDigest.Of(("artifact_updates", without), ("status", "x"))
        );
        Assert.True(Rfc3339.TryParse("2026-03-01T12:00:00Z", out var a));
        Assert.True(Rfc3339.TryParse("2026-03-01t14:00:00.000000+02:00", out var b));
        Assert.Equal(ReportDigest.Of(("occurred_at", a)), ReportDigest.Of(("occurred_at", b)));
        Assert.NotEqual(ReportDigest.Of(("occurred_at", a)), ReportDigest.Of(("occurred_at", a + 1)));
        Assert.NotEqual(ReportDigest.Of(("a", "1")), ReportDigest.Of(("a", 1L)));
    }
}

namespace Postern.House;

/// <summary>Files and lines.</summary>
internal static class Lines
{
    private const int Wide = Width.Most;

    public static IEnumerable<(string What, string Value)> Measure(
        List<Source> product,
        List<Source> rest,
        List<string> texts
    )
    {
        var lengths = product.Select(source => source.Lines.Length - 1).Order().ToList();
        yield return ("files of the product; lines", $"{product.Count}; {lengths.Sum():#,0}");
        yield return (
            "lines of a file: median; nine of ten below; most",
            $"{lengths[lengths.Count / 2]}; {lengths[lengths.Count * 9 / 10]}; {lengths[^1]}"
        );
        yield return ($"lines over {Wide} columns in the product", WideOf(product));
        yield return ($"lines over {Wide} columns in tests, measurements and samples", WideOf(rest));
        yield return (
            $"lines over {Wide} columns in pages, styles, scripts and documents",
            Share(texts.Sum(text => Width.WideIn(text).Count()), texts.Sum(NotEmpty))
        );
    }

    private static int NotEmpty(string path) => File.ReadLines(path).Count(line => line.Length > 0);

    private static string WideOf(List<Source> sources)
    {
        var lines = sources.SelectMany(source => source.Lines).Where(line => line.Length > 0).ToList();
        return Share(lines.Count(line => line.Length > Wide), lines.Count);
    }

    private static string Share(int wide, int all) => $"{wide} of {all:#,0} ({100.0 * wide / all:0.0} %)";
}

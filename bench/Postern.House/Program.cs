using Postern.House;

// How the code measures: `make measure`. The numbers, and those of before, stand in docs/house.md.
var root = args.Length > 0 ? args[0] : Directory.GetCurrentDirectory();
var product = Sources.Of(Path.Combine(root, "src", "Postern"));
var rest = new[] { "test", "bench", "samples" }.SelectMany(folder => Sources.Of(Path.Combine(root, folder))).ToList();
var texts = Width.Files(root).ToList();
foreach (
    var (what, value) in Lines
        .Measure(product, rest, texts)
        .Concat(Shapes.Measure(product))
        .Concat(Edges.Measure(product))
)
    Console.WriteLine($"{what, -72} {value}");

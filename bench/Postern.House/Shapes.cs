using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Postern.House;

/// <summary>Types and methods.</summary>
internal static class Shapes
{
    private const int MostBranches = 10;
    private const int MostParameters = 7;
    private const int MostMembers = 9;

    public static IEnumerable<(string What, string Value)> Measure(List<Source> product)
    {
        var types = product.SelectMany(source => TopLevel(source).Select(type => (source, type))).ToList();
        var named = types.Count(t => Path.GetFileName(t.source.Path).Split('.')[0] == t.type.Identifier.Text);
        yield return (
            "top-level types in a file of their name",
            $"{named} of {types.Count} ({Percent(named, types.Count)})"
        );

        var methods = product.SelectMany(s => s.Tree.DescendantNodes().OfType<MethodDeclarationSyntax>()).ToList();
        var branchy = methods
            .Select(m => (Method: m, Branches: Branches(m)))
            .OrderByDescending(m => m.Branches)
            .ToList();
        yield return ("methods", $"{methods.Count:#,0}");
        yield return (
            $"methods of more than {MostBranches} branches",
            branchy.Count(m => m.Branches > MostBranches).ToString()
        );
        foreach (var (method, branches) in branchy.TakeWhile(m => m.Branches > MostBranches))
            yield return ("  " + NameOf(method), branches.ToString());
        yield return (
            "methods that return a tuple; of them one with a Refusal",
            $"{methods.Count(m => TupleOf(m) is not null)}; "
                + methods.Count(m => TupleOf(m)?.ToString().Contains("Refusal?", StringComparison.Ordinal) == true)
        );
        var classes = types.Select(t => t.type).OfType<ClassDeclarationSyntax>().ToList();
        yield return (
            $"classes whose constructor has more than {MostParameters} parameters",
            Named(classes.Where(c => Parameters(c) > MostParameters))
        );
        var records = types.Select(t => t.type).OfType<RecordDeclarationSyntax>();
        yield return (
            $"positional records of more than {MostMembers} members",
            Named(records.Where(r => r.ParameterList?.Parameters.Count > MostMembers))
        );
    }

    private static IEnumerable<BaseTypeDeclarationSyntax> TopLevel(Source source) =>
        source
            .Tree.DescendantNodes(node => node is CompilationUnitSyntax or BaseNamespaceDeclarationSyntax)
            .OfType<BaseTypeDeclarationSyntax>();

    private static int Branches(MethodDeclarationSyntax method) =>
        method
            .DescendantNodes()
            .Count(node =>
                node
                    is IfStatementSyntax
                        or WhileStatementSyntax
                        or ForStatementSyntax
                        or ForEachStatementSyntax
                        or CatchClauseSyntax
                        or ConditionalExpressionSyntax
                        or CaseSwitchLabelSyntax
                        or CasePatternSwitchLabelSyntax
                        or SwitchExpressionArmSyntax
                || node.IsKind(SyntaxKind.LogicalAndExpression)
                || node.IsKind(SyntaxKind.LogicalOrExpression)
                || node.IsKind(SyntaxKind.CoalesceExpression)
            );

    private static string NameOf(MethodDeclarationSyntax method) =>
        $"{(method.Parent as BaseTypeDeclarationSyntax)?.Identifier.Text}.{method.Identifier.Text}";

    private static int Parameters(ClassDeclarationSyntax type) =>
        type
            .Members.OfType<ConstructorDeclarationSyntax>()
            .Select(constructor => constructor.ParameterList.Parameters.Count)
            .Append(type.ParameterList?.Parameters.Count ?? 0)
            .Max();

    private static TupleTypeSyntax? TupleOf(MethodDeclarationSyntax method) =>
        method.ReturnType.DescendantNodesAndSelf().OfType<TupleTypeSyntax>().FirstOrDefault();

    private static string Named(IEnumerable<TypeDeclarationSyntax> types)
    {
        var names = types.Select(type => type.Identifier.Text).ToList();
        return names.Count == 0 ? "0" : $"{names.Count}: {string.Join(", ", names)}";
    }

    private static string Percent(int part, int whole) => $"{100.0 * part / whole:0.0} %";
}

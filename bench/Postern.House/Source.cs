using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Postern.House;

/// <summary>A file of code, as text and as a tree.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Folder">The feature's folder; empty for a file that stands in none.</param>
/// <param name="Lines">Its lines.</param>
/// <param name="Tree">The same, parsed.</param>
internal sealed record Source(string Path, string Folder, string[] Lines, CompilationUnitSyntax Tree);

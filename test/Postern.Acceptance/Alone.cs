namespace Postern.Acceptance;

/// <summary>These assert bounds of time that the contract gives: they run while nothing else does.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

namespace Postern.Acceptance;

/// <summary>Tests that assert time limits of the contract. They run while nothing else runs.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

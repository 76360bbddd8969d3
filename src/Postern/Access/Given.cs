namespace Postern.Access;

/// <summary>How a right must have been given for a need.</summary>
internal enum Given
{
    /// <summary>By a scope, or implied by a key without scopes.</summary>
    Anyhow,

    /// <summary>By a scope that was written down.</summary>
    Explicitly,

    /// <summary>By a scope that names the type: a scope on everything is not enough.</summary>
    ByName,
}

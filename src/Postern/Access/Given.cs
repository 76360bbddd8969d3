namespace Postern.Access;

/// <summary>The way in which a right must have been given.</summary>
internal enum Given
{
    /// <summary>By a scope, or implied by a key without scopes.</summary>
    Anyhow,

    /// <summary>By a scope that was written down.</summary>
    Explicitly,

    /// <summary>By a scope that names the type: a scope on everything is not enough.</summary>
    ByName,
}

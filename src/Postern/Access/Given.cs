namespace Postern.Access;

/// <summary>How a right must have been given.</summary>
internal enum Given
{
    /// <summary>By a scope, or implied by a key without scopes.</summary>
    Anyhow,

    /// <summary>By an explicit scope.</summary>
    Explicitly,

    /// <summary>By a scope that names the type. A scope on everything is not enough.</summary>
    ByName,
}

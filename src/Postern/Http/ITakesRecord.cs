namespace Postern.Http;

/// <summary>Metadata of an endpoint whose document shows a record as the body.</summary>
internal interface ITakesRecord
{
    Type? Request { get; }

    /// <summary>Whether any member may be missing, because it is a change.</summary>
    bool RequestIsPart { get; }
}

namespace Postern.Http;

/// <summary>Stands beside an endpoint whose document shows a record as the body.</summary>
internal interface ITakesRecord
{
    Type? Request { get; }

    /// <summary>Any of its members may be left out: it is a change of what is there.</summary>
    bool RequestIsPart { get; }
}

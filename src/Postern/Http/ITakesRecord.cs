namespace Postern.Http;

/// <summary>What stands beside an endpoint whose document shows a record as the body.</summary>
internal interface ITakesRecord
{
    Type? Request { get; }
}

namespace Postern.Http;

/// <summary>
/// Marks the record of a request that refuses unknown members. Other records accept them, and mostly ignore them.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class StrictAttribute : Attribute;

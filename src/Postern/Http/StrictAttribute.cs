namespace Postern.Http;

/// <summary>
/// Marks the record of a request that refuses members which it does not name. Others take them, and mostly do not look
/// at them.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class StrictAttribute : Attribute;

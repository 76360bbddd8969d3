namespace Postern.Http;

/// <summary>Marks the record of an answer that has further members besides those it names.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class HasMoreMembersAttribute : Attribute;

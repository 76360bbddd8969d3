namespace Postern.Http;

/// <summary>Marks the record of an answer that has further members beside those it names.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class HasMoreMembersAttribute : Attribute;

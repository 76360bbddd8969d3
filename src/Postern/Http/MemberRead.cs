namespace Postern.Http;

/// <summary>
/// Reads a member of a body; its faults are left in <paramref name="fields"/>. Returns null when it is missing or has a
/// fault.
/// </summary>
internal delegate object? MemberRead(Fields fields, string name, bool isRequired);

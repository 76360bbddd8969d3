namespace Postern.Access;

internal sealed record CallbackSecretRow(string Id, string CreatedBy, long CreatedAt);

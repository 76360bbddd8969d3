using System.Security.Cryptography;
using Postern.Access;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// Creates, once in a database's life, the project <c>default</c> with its root key and its echo agent. At every start
/// it checks that the master key is the one with which the secrets were sealed.
/// </summary>
internal sealed class FirstStart(
    Database database,
    Projects projects,
    KeyStore keys,
    MasterKey master,
    ILogger<FirstStart> log
)
{
    /// <summary>
    /// Returns the root key, when this start made it and it must be shown. Every later start has none.
    /// </summary>
    public async Task<FirstRootKey> RunAsync(string? givenRootKey)
    {
        await CheckMasterKeyAsync();
        ApiKey? given = null;
        if (!string.IsNullOrWhiteSpace(givenRootKey))
        {
            given = ApiKey.TryParse(givenRootKey.Trim());
            if (given is not { Kind: "root" })
                throw new SetupException(
                    "POSTERN_ROOT_KEY is not a root key (pst_root_<id>_<secret>_<check>) or is mistyped. Make one "
                        + "with: postern keys generate"
                );
        }
        if (await projects.DefaultAsync() is { } project)
        {
            if (
                given is { } other
                && await keys.FindRootAsync(project) is { } root
                && !KeyDigest.Matches(other.Text, root.Salt, root.Digest)
            )
                HostLog.RootKeyIgnored(log);
            return new FirstRootKey(null);
        }
        var made = await projects.CreateAsync(Projects.Default, "first start", given);
        // Another node was first, and shows the key.
        return new FirstRootKey(made is null || given is not null ? null : made.Value.RootKey.Text);
    }

    private async Task CheckMasterKeyAsync()
    {
        var kept = await database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync(
                "INSERT INTO meta (name, number, bytes) VALUES ('master_key', 0, $1) ON CONFLICT (name) DO NOTHING",
                master.Fingerprint
            );
            return await tx.FirstAsync("SELECT bytes FROM meta WHERE name = 'master_key'", r => r.Bytes(0));
        });
        if (!CryptographicOperations.FixedTimeEquals(kept, master.Fingerprint))
            throw new SetupException(
                "The master key is not the one that this database's secrets were sealed with. Give the right one in "
                    + "POSTERN_MASTER_KEY, or put the right master.key beside the database."
            );
    }
}

using Postern.Access;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// The identity of this relay: its id, and the keys that it signs with, one after the other. They are made at the first
/// start, sealed under the master key, and the same on all nodes. A new key is announced before it signs.
/// </summary>
internal sealed class RelayIdentity(Database database, MasterKey master) : IDisposable
{
    /// <summary>How long a new key is announced before it signs.</summary>
    public const long Announced = 7 * 86_400_000_000L;
    private const long ReadEvery = 30_000_000;

    /// <summary>The most keys that are shown. Receipts of older ones are older than any log.</summary>
    private const int Shown = 10;

    private readonly SemaphoreSlim _reading = new(1, 1);
    private Keys? _keys;
    private long _readAt;

    /// <summary>Returns the keys of this moment. They are read again every 30 s.</summary>
    public async ValueTask<Keys> KeysAsync()
    {
        if (_keys is { } kept && database.Now - Interlocked.Read(ref _readAt) < ReadEvery)
            return kept;
        await _reading.WaitAsync();
        try
        {
            return _keys = await ReadAsync();
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>Makes the key that will sign after the present one.</summary>
    /// <param name="now">At once: only planes that have heard of it before go on without being told.</param>
    public async Task<P256PublicKey> RotateAsync(bool now, string actor, string project)
    {
        using var made = P256Key.Make();
        await KeysAsync();
        await database.WriteAsync(async tx =>
        {
            var (last, relay) = await tx.FirstAsync(
                "SELECT number, relay FROM relay_key ORDER BY number DESC LIMIT 1",
                r => (r.GetInt64(0), r.GetString(1))
            );
            await InsertAsync(tx, last + 1, relay, made, now ? tx.Now : tx.Now + Announced);
            Audit.Write(tx, new AuditRow(project, "relay.key.rotated", Actor: actor, Reason: made.Public.Fingerprint));
            return 0;
        });
        Interlocked.Exchange(ref _readAt, 0);
        return made.Public;
    }

    public void Dispose()
    {
        _reading.Dispose();
        _keys?.Current.Dispose();
    }

    private async Task<Keys> ReadAsync()
    {
        var rows = await database.ReadAsync(ListAsync);
        if (rows.Count == 0)
        {
            using var made = P256Key.Make();
            // When several nodes start together, one of them makes the key.
            await database.WriteAsync(tx => InsertAsync(tx, 1, Id.New("rly", tx.Now), made, tx.Now));
            rows = await database.ReadAsync(ListAsync);
        }
        Interlocked.Exchange(ref _readAt, database.Now);
        var current = rows.First(r => r.SignsFrom <= database.Now);
        // The object of a key is reused while the key is current, because other threads may be signing with it.
        var key =
            _keys is { } before && before.Current.Public.Text == current.Public
                ? before.Current
                : P256Key.FromSecretText(master.Unprotect(current.Sealed, PurposeOf(current.Number)));
        return new Keys(
            current.Relay,
            key,
            rows.Where(r => r.SignsFrom > database.Now).Select(r => P256PublicKey.TryParse(r.Public)!).LastOrDefault(),
            [.. rows.Select(r => P256PublicKey.TryParse(r.Public)!)]
        );
    }

    private static ValueTask<List<Row>> ListAsync(Tx tx) =>
        tx.ListAsync(
            $"SELECT number, relay, public, sealed, signs_from FROM relay_key ORDER BY number DESC LIMIT {Shown}",
            r => new Row(r.GetInt64(0), r.GetString(1), r.GetString(2), r.Bytes(3), r.GetInt64(4))
        );

    private ValueTask<int> InsertAsync(Tx tx, long number, string relay, P256Key key, long signsFrom) =>
        tx.ExecuteAsync(
            """
            INSERT INTO relay_key (number, relay, public, sealed, signs_from)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (number) DO NOTHING
            """,
            number,
            relay,
            key.Public.Text,
            master.Protect(key.ToSecretText(), PurposeOf(number)),
            signsFrom
        );

    private static string PurposeOf(long number) => $"relay key {number}";

    private sealed record Row(long Number, string Relay, string Public, byte[] Sealed, long SignsFrom);

    /// <param name="Relay">The relay's id.</param>
    /// <param name="Current">Signs now.</param>
    /// <param name="Next">Will sign; null: none is announced.</param>
    /// <param name="All">All that verify something, the newest first.</param>
    internal sealed record Keys(string Relay, P256Key Current, P256PublicKey? Next, IReadOnlyList<P256PublicKey> All);
}

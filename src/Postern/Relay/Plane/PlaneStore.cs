using System.Data.Common;
using Postern.Access;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>Stores the joined relays: at most a few rows. Private keys are sealed under the master key.</summary>
internal sealed class PlaneStore(Database database, MasterKey master)
{
    /// <summary>The most relays that one server may join.</summary>
    public const int Most = 4;

    /// <summary>Announced when a relay was joined or left, or when keys were changed.</summary>
    public const string Topic = "relays";

    private const string Columns = """
        relay, plane, server, url, code, relay_key, next_relay_key, standing, sign_sealed, open_sealed,
        old_sign_sealed, old_open_sealed, joined_at, rotated_at, held_for, doors_version, doors_digest, checked_seq,
        remembers_from
        """;

    public ValueTask<List<JoinedPlane>> ListAsync() => database.ReadAsync(ListAsync);

    /// <summary>A value that changes with everything that connections depend on. It is cheap to read often.</summary>
    public ValueTask<string> VersionAsync() =>
        database.ReadAsync(async tx =>
            string.Join(
                '\n',
                await tx.ListAsync(
                    $"""
                    SELECT relay, plane, server, url, standing, relay_key, COALESCE(next_relay_key, ''), joined_at,
                      COALESCE(rotated_at, 0), held_for, remembers_from
                    FROM joined_relay ORDER BY relay LIMIT {Most}
                    """,
                    r => string.Join(' ', Enumerable.Range(0, r.FieldCount).Select(i => r.GetValue(i).ToString()))
                )
            )
        );

    public ValueTask<List<JoinedPlane>> ListAsync(Tx tx) =>
        tx.ListAsync($"SELECT {Columns} FROM joined_relay ORDER BY joined_at, relay LIMIT {Most}", Map);

    /// <summary>Returns the longest time for which a joined relay keeps requests, in microseconds.</summary>
    public ValueTask<long?> LongestHeldForAsync() =>
        database.ReadAsync(tx => tx.FirstAsync("SELECT MAX(held_for) FROM joined_relay", r => r.LongOrNull(0)));

    /// <summary>Adds a relay, or replaces the identity of one that is joined again.</summary>
    public async ValueTask PutAsync(Tx tx, JoinedPlane p)
    {
        await ForgetPagesAsync(tx, p.Relay, p.Plane);
        await tx.ExecuteAsync("DELETE FROM joined_relay WHERE relay = $1", p.Relay);
        await tx.ExecuteAsync(
            """
            INSERT INTO joined_relay (relay, plane, server, url, code, relay_key, next_relay_key, standing,
              sign_sealed, open_sealed, joined_at, held_for, doors_version, doors_digest, checked_seq)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
            """,
            p.Relay,
            p.Plane,
            p.Server,
            p.Url,
            p.Code,
            p.RelayKey.Text,
            p.NextRelayKey?.Text,
            p.Standing,
            Seal(p.Relay, p.Sign),
            Seal(p.Relay, p.Open),
            p.JoinedAt,
            p.HeldFor,
            p.DoorsVersion,
            p.DoorsDigest,
            p.CheckedSeq
        );
        tx.Notify(Topic);
    }

    /// <summary>Stores new keys. The previous keys stay, for what is still signed by them or sealed to them.</summary>
    public Task<bool> RotateAsync(JoinedPlane p, P256Key sign, P256Key open) =>
        ChangeAsync(
            """
            UPDATE joined_relay
            SET old_sign_sealed = sign_sealed, old_open_sealed = open_sealed, sign_sealed = $2, open_sealed = $3,
              rotated_at = $4
            WHERE relay = $1
            """,
            new AuditRow(Audit.NoProject, "relay.keys_rotated", Reason: $"{p.Relay} {sign.Public.Id}"),
            tx => [p.Relay, Seal(p.Relay, sign), Seal(p.Relay, open), tx.Now]
        );

    public async Task<bool> LeaveAsync(string relay)
    {
        await database.WriteAsync(tx => ForgetPagesAsync(tx, relay, ""));
        return await ChangeAsync(
            "DELETE FROM joined_relay WHERE relay = $1",
            new AuditRow(Audit.NoProject, "relay.left", Reason: relay),
            _ => [relay]
        );
    }

    public Task<bool> StandAsync(string relay, string standing) =>
        ChangeAsync(
            "UPDATE joined_relay SET standing = $2 WHERE relay = $1 AND standing <> $2",
            new AuditRow(Audit.NoProject, "relay." + standing, Reason: relay),
            _ => [relay, standing]
        );

    /// <summary>
    /// Pins the next key of the relay, which the pinned key has announced. The previous key stays pinned beside it,
    /// because envelopes that it has signed are handed over unchanged.
    /// </summary>
    public Task<bool> PinNextAsync(string relay, string key) =>
        ChangeAsync(
            """
            UPDATE joined_relay SET relay_key = COALESCE(next_relay_key, relay_key), next_relay_key = $2
            WHERE relay = $1 AND COALESCE(next_relay_key, '') <> $2 AND relay_key <> $2
            """,
            new AuditRow(Audit.NoProject, "relay.next_key_pinned", Reason: relay),
            _ => [relay, key]
        );

    /// <summary>
    /// Stores how long the relay keeps a request. If that is longer than before, messages have been remembered only for
    /// the shorter time until now.
    /// </summary>
    public Task<int> HoldsForAsync(string relay, long microseconds) =>
        database.WriteAsync(tx =>
            tx.ExecuteAsync(
                """
                UPDATE joined_relay
                SET held_for = $2,
                  remembers_from = CASE
                    WHEN $2 > held_for AND $3 - held_for > remembers_from THEN $3 - held_for
                    ELSE remembers_from
                  END
                WHERE relay = $1 AND held_for <> $2
                """,
                relay,
                microseconds,
                tx.Now
            )
        );

    public Task<int> CheckedAsync(string relay, long seq) =>
        database.WriteAsync(tx =>
            tx.ExecuteAsync(
                "UPDATE joined_relay SET checked_seq = $2 WHERE relay = $1 AND checked_seq < $2",
                relay,
                seq
            )
        );

    /// <summary>
    /// Returns the version of a list of doors. A list that differs from the last one gets a new version, on any node.
    /// </summary>
    public Task<long> VersionOfDoorsAsync(string relay, string digest) =>
        database.WriteAsync(async tx =>
        {
            await tx.ExecuteAsync(
                """
                UPDATE joined_relay SET doors_version = doors_version + 1, doors_digest = $2
                WHERE relay = $1 AND doors_digest <> $2
                """,
                relay,
                digest
            );
            return await tx.FirstAsync(
                "SELECT doors_version FROM joined_relay WHERE relay = $1",
                r => r.GetInt64(0),
                relay
            );
        });

    /// <summary>
    /// Raises the version above the one that the relay has. This is needed when the database was restored from a
    /// backup.
    /// </summary>
    public Task<int> DoorsAreAboveAsync(string relay, long version) =>
        database.WriteAsync(tx =>
            tx.ExecuteAsync(
                "UPDATE joined_relay SET doors_version = $2 + 1 WHERE relay = $1 AND doors_version <= $2",
                relay,
                version
            )
        );

    /// <summary>Forgets which questions a relay had, because nobody opens them there any more.</summary>
    private static ValueTask<int> ForgetPagesAsync(Tx tx, string relay, string but) =>
        tx.ExecuteAsync(
            """
            DELETE FROM joined_page
            WHERE plane IN (SELECT plane FROM joined_relay WHERE relay = $1) AND plane <> $2
            """,
            relay,
            but
        );

    private Task<bool> ChangeAsync(string sql, AuditRow row, Func<Tx, object?[]> args) =>
        database.WriteAsync(async tx =>
        {
            if (await tx.ExecuteAsync(sql, args(tx)) != 1)
                return false;
            Audit.Write(tx, row);
            tx.Notify(Topic);
            return true;
        });

    private byte[] Seal(string relay, P256Key key) => master.Protect(key.ToSecretText(), "relay:" + relay);

    private P256Key Open(string relay, byte[] text) => P256Key.FromSecretText(master.Unprotect(text, "relay:" + relay));

    private JoinedPlane Map(DbDataReader r)
    {
        var relay = r.GetString(0);
        return new JoinedPlane
        {
            Relay = relay,
            Plane = r.GetString(1),
            Server = r.GetString(2),
            Url = r.GetString(3),
            Code = r.GetString(4),
            RelayKey = KeyOf(r.GetString(5)),
            NextRelayKey = r.TextOrNull(6) is { } next ? KeyOf(next) : null,
            Standing = r.GetString(7),
            Sign = Open(relay, r.Bytes(8)),
            Open = Open(relay, r.Bytes(9)),
            OldSign = r.BytesOrNull(10) is { } sign ? Open(relay, sign) : null,
            OldOpen = r.BytesOrNull(11) is { } open ? Open(relay, open) : null,
            JoinedAt = r.GetInt64(12),
            RotatedAt = r.LongOrNull(13),
            HeldFor = r.GetInt64(14),
            DoorsVersion = r.GetInt64(15),
            DoorsDigest = r.GetString(16),
            CheckedSeq = r.GetInt64(17),
            RemembersFrom = r.GetInt64(18),
        };
    }

    private static P256PublicKey KeyOf(string text) =>
        P256PublicKey.TryParse(text) ?? throw new InvalidOperationException("A pinned key of a relay is none.");
}

using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Bench;

/// <summary>
/// The limit of a relay: what must be done for an envelope whatever else is done. It is sealed and signed, its row is
/// committed; its signature is checked, it is opened, and its row is committed at the other side.
/// </summary>
internal static class BareRelay
{
    private const string Insert = """
        INSERT INTO relay_request (plane, seq, open_seq, id, lane, network, is_known, is_signed, size, frame, receipt,
          received_at, expires_at, state, told)
        VALUES ($1, $2, $2, $3, $4, '', 1, 1, $5, $6, $7, $8, $9, 'stored', 1)
        """;
    private const string Take = """
        INSERT INTO relay_envelope (relay, id, seq, lane, digest, received_at, taken_at, state)
        VALUES ($1, $2, $3, $4, $5, $6, $6, 'taken')
        """;

    /// <summary>Envelopes a second on one core, without a database.</summary>
    public static double Sealing(RelayedRequest request, TimeSpan span)
    {
        using var keys = new Pair();
        var done = 0L;
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < span)
            keys.Open(keys.Seal(request, done++));
        return done / watch.Elapsed.TotalSeconds;
    }

    /// <summary>Envelopes a second of one loop, with two commits for so many.</summary>
    public static double Run(string folder, RelayedRequest request, int perCommit, TimeSpan span)
    {
        using var keys = new Pair();
        var files = new[] { "relay", "plane" }.Select(n => Path.Combine(folder, n + ".db")).ToList();
        files.ForEach(f => Migrations.ApplyToSqlite(f));
        using var relay = new BareFile(files[0]);
        using var plane = new BareFile(files[1]);
        var (stores, takes) = (relay.Command(Insert), plane.Command(Take));
        var frames = new List<byte[]>(perCommit);
        var done = 0L;
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < span)
        {
            frames.Clear();
            relay.Scalar("BEGIN IMMEDIATE");
            for (var i = 0; i < perCommit; i++)
            {
                var frame = keys.Seal(request, ++done);
                frames.Add(frame);
                var receipt = RandomNumberGenerator.GetBytes(32);
                BareFile.Execute(
                    stores,
                    Pair.Plane,
                    done,
                    Pair.IdOf(done),
                    Pair.LaneOf(request),
                    (long)frame.Length,
                    frame,
                    receipt,
                    done,
                    done
                );
            }
            relay.Scalar("COMMIT");
            plane.Scalar("BEGIN IMMEDIATE");
            foreach (var frame in frames)
            {
                var (head, opened) = keys.Open(frame);
                var digest = Convert.ToHexStringLower(SHA256.HashData(opened.Body.Span));
                BareFile.Execute(takes, head.Relay, head.Id, head.Seq, head.Lane, digest, head.ReceivedAt);
            }
            plane.Scalar("COMMIT");
        }
        return done / watch.Elapsed.TotalSeconds;
    }

    /// <summary>The keys of both sides.</summary>
    private sealed class Pair : IDisposable
    {
        public const string Plane = "pln_01m80t06jve429nf9xf5c8pwcw";
        private const string Relay = "rly_01m80t08w2e2xbfdsdh4v0010y";
        private readonly P256Key _relay = P256Key.Make();
        private readonly P256Key _plane = P256Key.Make();

        public static string IdOf(long n) => $"env_{n:D26}";

        public static string LaneOf(RelayedRequest request) => Lane.Of(request.Target);

        public byte[] Seal(RelayedRequest request, long n)
        {
            var head = new EnvelopeHead(Relay, Plane, IdOf(n), n, LaneOf(request), n, n, "", "");
            return EnvelopeSeal.Seal(_plane.Public, head, request).Encode(_relay, RelaySignature.ToPlane);
        }

        public (EnvelopeHead Head, RelayedRequest Request) Open(byte[] frame)
        {
            var read = Frame.Read(frame, RelaySignature.ToPlane, _relay.Public);
            var head = (EnvelopeHead)read.Frame!.Head;
            return (head, EnvelopeSeal.TryOpen(_plane, head, read.Frame.Body.Span)!);
        }

        public void Dispose()
        {
            _relay.Dispose();
            _plane.Dispose();
        }
    }
}

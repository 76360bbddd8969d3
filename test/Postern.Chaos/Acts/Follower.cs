using Postern.Support;

namespace Postern.Chaos.Acts;

/// <summary>
/// Follows a session's records live until its end. When the stream breaks, it continues after the last record received.
/// </summary>
internal sealed class Follower(World world, string name) : Actor(world, name)
{
    protected override async Task ActAsync()
    {
        if (!World.Sessions.TryDequeue(out var session))
            return;
        var (stream, next) = ($"{Name}-{Round}", 0L);
        Ledger.Write("follows", new { stream, session });
        while (true)
        {
            await using var reader = await Caller.StreamAsync(
                Random.Next(8),
                $"/realtime/v1/sessions/{session}/out",
                World.Root,
                next == 0 ? null : (next - 1).ToString()
            );
            if (reader is not null && await ReadAsync(reader))
                break;
            await PauseAsync(150);
        }

        async Task<bool> ReadAsync(EventReader reader)
        {
            try
            {
                // Some disconnect on purpose, in the middle.
                var leaves = Chance(3) ? Random.Next(1, 30) : int.MaxValue;
                while (leaves-- > 0)
                {
                    var read = await reader.ReadAsync(TimeSpan.FromSeconds(25));
                    if (read is null)
                        return false;
                    if (read.Data == "[DONE]")
                        return await IsClosedAsync();
                    if (read.Name != "batch")
                        continue;
                    var seqs = read
                        .Json.GetProperty("records")
                        .EnumerateArray()
                        .Select(r => r.GetProperty("seq_num").GetInt64())
                        .ToList();
                    if (seqs.Count == 0)
                        continue;
                    Ledger.Write(
                        "seen",
                        new
                        {
                            stream,
                            session,
                            seqs,
                        }
                    );
                    next = seqs[^1] + 1;
                }
                return false;
            }
            catch (Exception fault) when (Caller.IsOfTheWay(fault))
            {
                Caller.Stop.ThrowIfCancellationRequested();
                return false;
            }
        }

        async Task<bool> IsClosedAsync()
        {
            var about = await GetAsync("/api/v1/sessions/" + session);
            if (!about.Ok || about.Json.GetProperty("closedAt").ValueKind == System.Text.Json.JsonValueKind.Null)
                return false;
            Ledger.Write(
                "followed",
                new
                {
                    stream,
                    session,
                    next,
                }
            );
            return true;
        }
    }
}

using System.Net;
using Postern.Access;
using Postern.Pages;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// The checks of <c>postern doctor</c> that can be made inside the running server: weak spots, what waits, what did not
/// arrive. It checks at most once a minute, however many people ask.
/// </summary>
internal sealed class ServerDoctor(Database database, MasterKey master, PosternOptions options, TimeProvider clock)
{
    private const long KeptFor = 60_000_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private readonly SemaphoreSlim _one = new(1);
    private DoctorReport? _last;

    public async Task<DoctorReport> AskAsync()
    {
        await _one.WaitAsync();
        try
        {
            return _last is { } last && database.Now - last.At < KeptFor ? last : _last = await CheckAsync();
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<DoctorReport> CheckAsync()
    {
        var found = WeakSpots.OfSettings(options, null).Select(Finding).ToList();
        using var until = new CancellationTokenSource(Patience, clock);
        try
        {
            // The names are resolved by a server that is not ours.
            var rows = await WeakSpots.OfRowsAsync(database, options, Dns.GetHostAddressesAsync, until.Token);
            found.AddRange(rows.Select(Finding));
        }
        catch (OperationCanceledException)
        {
            found.Add(new DoctorFinding(DoctorFinding.Weak, "addresses", "could not be looked up in 3 seconds"));
        }
        found.AddRange((await WeakSpots.OfSecretsAsync(database, master)).Select(Finding));
        if (master.IsWeak)
            found.Add(
                new DoctorFinding(
                    DoctorFinding.Weak,
                    "master key",
                    $"is shorter than {MasterKey.LeastCharacters} characters: who reads the database can guess it"
                )
            );
        found.AddRange(await WorkFindings.OfAsync(database, options));
        return new DoctorReport(database.Now, found);
    }

    private static DoctorFinding Finding(WeakSpot spot) => new(DoctorFinding.Weak, spot.What, spot.Message);
}

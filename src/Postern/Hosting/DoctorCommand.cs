using System.Data.Common;
using System.Net;
using Postern.Access;
using Postern.Http;
using Postern.Pages;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// The command <c>postern doctor</c>: checks everything that a server needs and changes nothing. For each fault and
/// each weak spot it says what to do. The exit code is 1 when something is wrong.
/// </summary>
internal sealed class DoctorCommand(ServeOptions serve, CancellationToken cancel)
{
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(2);
    private PosternOptions _options = new();
    private int _wrong;

    public static Task<int> RunAsync(ServeOptions serve, CancellationToken cancel) =>
        new DoctorCommand(serve, cancel).RunAsync();

    private async Task<int> RunAsync()
    {
        CheckSettings();
        await CheckStorageAsync();
        if (_options.Console is { Enabled: true } console && console.Oidc.IsOn())
            await CheckSignInAsync();
        await CheckAddressesAsync();
        Terminal.WriteLine($"{(_wrong == 0 ? "all is well" : $"{_wrong} to put right")}");
        return _wrong == 0 ? 0 : 1;
    }

    private void CheckSettings()
    {
        try
        {
            _options = serve.ReadSettings();
            Good("settings", "all known and within bounds");
        }
        catch (SettingsException fault)
        {
            foreach (var line in fault.Faults)
                Bad("settings", line);
        }
        foreach (var spot in WeakSpots.OfSettings(_options, serve.Database))
            Weak(spot);
    }

    private static void Good(string what, string description) => Terminal.WriteLine($"ok    {what, -12} {description}");

    private static void Weak(WeakSpot spot) => Terminal.WriteLine($"weak  {spot.What, -12} {spot.Message}");

    private void Tell(PlaneDoctor.Line line)
    {
        if (line.IsWrong)
            Bad("relay", line.Message);
        else if (line.IsWeak)
            Weak(new WeakSpot("relay", line.Message));
        else
            Good("relay", line.Message);
    }

    private void Bad(string what, string description)
    {
        _wrong++;
        Terminal.WriteLine($"WRONG {what, -12} {description}");
    }

    private async Task CheckStorageAsync()
    {
        if (serve.Database is null && !CheckFolder())
            return;
        try
        {
            await using var database = serve.Driver.Look(serve.Place);
            foreach (var fault in await serve.Driver.UnfitAsync(database))
                Bad("database", fault);
            await CheckClockAsync(database);
            if (await serve.Driver.IsEmptyAsync(database))
            {
                Good("database", $"{database.Kind}, empty: the first start makes its tables");
                serve.ReadMasterKey();
                return;
            }
            var version = await Migrations.VersionAsync(database);
            CheckSchema(database, version);
            var master = await CheckMasterKeyAsync(database);
            if (version == Migrations.Newest)
                await CheckRowsAsync(database, master);
        }
        catch (SetupException fault)
        {
            Bad("master key", fault.Message);
        }
        catch (Exception fault) when (fault is StorageUnavailableException or DbException or ArgumentException)
        {
            Bad(
                "database",
                $"cannot be opened: {(fault.InnerException ?? fault).Message}. {serve.Driver.AdviceOn(fault)}"
            );
        }
    }

    private async Task CheckSignInAsync()
    {
        var oidc = _options.Console.Oidc;
        if (oidc.ClientSecret.Length == 0)
            Bad("sign-in", "Postern:Console:Oidc:ClientSecret is missing: most providers let nobody in without it");
        if (_options.Operators.Roles.Count == 0)
            Bad("sign-in", "nobody who signs in has a role: Postern:Operators:Roles names who may do what");
        if (await OidcProvider.ValidateAsync(_options, cancel) is { } why)
            Bad("sign-in", $"the identity provider at {oidc.Authority} cannot be used: {why}");
        else
            Good("sign-in", $"the identity provider at {oidc.Authority} answers");
    }

    private void CheckSchema(Database database, long version)
    {
        var newest = Migrations.Newest;
        if (version > newest)
            Bad("database", $"schema {version} is newer than this binary's {newest}: start the newer postern");
        else if (version < newest)
            Good("database", $"{database.Kind}, schema {version}; the next start brings it to {newest}");
        else
            Good("database", $"{database.Kind}, schema {version}");
    }

    private async Task CheckRowsAsync(Database database, MasterKey? master)
    {
        foreach (var spot in await WeakSpots.OfRowsAsync(database, _options, Dns.GetHostAddressesAsync, cancel))
            Weak(spot);
        if (master is not null)
            await CheckSecretsAsync(database, master);
        await ShowWorkAsync(database);
        foreach (var (isWeak, description) in await RelayDoctor.CheckAsync(database, _options))
        {
            if (isWeak)
                Weak(new WeakSpot("relay", description));
            else
                Good("relay", description);
        }
    }

    private async Task CheckSecretsAsync(Database database, MasterKey master)
    {
        foreach (var spot in await WeakSpots.OfSecretsAsync(database, master))
            Weak(spot);
        await foreach (var line in PlaneDoctor.CheckAsync(database, master, _options, cancel))
            Tell(line);
    }

    private bool CheckFolder()
    {
        var folder = serve.Folder;
        if (!File.Exists(folder.Database))
        {
            CheckEmpty(folder);
            return false;
        }
        foreach (var path in folder.OpenToOthers())
            Bad("permissions", $"{path} is open to other users: chmod go-rwx {path}");
        if (folder.OpenToOthers().Count == 0)
            Good("permissions", "folder and files are the owner's alone");
        Good("lock", folder.IsLocked() ? "a server is running on this folder" : "no server is running on this folder");
        try
        {
            SqliteBackup.Check(folder.Database);
            Good("integrity", "SQLite's quick_check finds nothing");
            return true;
        }
        catch (InvalidDataException fault)
        {
            Bad("integrity", fault.Message + " Restore the last backup: postern restore FILE --force");
            return false;
        }
    }

    /// <summary>A folder without a database: before the first start, or after a mistake.</summary>
    private void CheckEmpty(DataFolder folder)
    {
        if (File.Exists(folder.Path))
            Bad("data", $"{folder.Path} is a file: name a folder with --data");
        else if (folder.IsLocked())
            Bad(
                "data",
                $"a server runs on this folder, and its database {folder.Database} is gone: put it back, or stop the "
                    + "server and restore the last backup (postern restore FILE)"
            );
        else if (folder.LostDatabase() is { } lost)
            Bad("data", lost);
        else
            Good("data", $"{folder.Path} has no database yet: the first start makes it");
    }

    private async Task CheckClockAsync(Database database)
    {
        var here = SqliteDatabase.Microseconds(TimeProvider.System);
        var off = await serve.Driver.ClockOffAsync(database, here);
        if (off <= ClockTolerance)
            Good("clock", $"{Wire.Iso(here)}");
        else
            Bad(
                "clock",
                $"this machine's clock is {off.TotalSeconds:0.0} s off what the database has seen: set it "
                    + "(timedatectl), or tokens and deadlines end at wrong times"
            );
    }

    /// <summary>Returns null when the key does not open this database's secrets.</summary>
    private async Task<MasterKey?> CheckMasterKeyAsync(Database database)
    {
        try
        {
            if (
                serve.Database is null
                && !File.Exists(serve.Folder.MasterKey)
                && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("POSTERN_MASTER_KEY"))
            )
            {
                Bad(
                    "master key",
                    $"{serve.Folder.MasterKey} is missing: put back the one that belongs to this database"
                );
                return null;
            }
            var master = serve.ReadMasterKey();
            var kept = await database.ReadAsync(tx =>
                tx.FirstAsync("SELECT bytes FROM meta WHERE name = 'master_key'", r => r.BytesOrNull(0))
            );
            if (kept is null || kept.AsSpan().SequenceEqual(master.Fingerprint))
            {
                if (master.IsWeak)
                    Weak(
                        new WeakSpot(
                            "master key",
                            $"is shorter than {MasterKey.LeastCharacters} characters: who reads the database "
                                + "can guess it"
                        )
                    );
                else
                    Good("master key", "opens this database's secrets");
                return master;
            }
            Bad("master key", "is not the one that this database's secrets were sealed with: put back the right one");
        }
        catch (SetupException fault)
        {
            Bad("master key", fault.Message);
        }
        return null;
    }

    private async Task ShowWorkAsync(Database database)
    {
        foreach (var finding in await WorkFindings.OfAsync(database, _options))
        {
            if (finding.Level == DoctorFinding.Wrong)
                Bad(finding.What, finding.Message);
            else
                Good(finding.What, finding.Message);
        }
    }

    private async Task CheckAddressesAsync()
    {
        foreach (var text in ListenUrls.Split(serve.Urls))
        {
            if (ListenUrls.Try(text) is not { } why)
                Good("address", $"{text} is free");
            else if (serve.Database is null && serve.Folder.IsLocked())
                Good("address", $"{text} is in use, and a server runs on this folder");
            else if (serve.Database is not null && await RunningServer.AnswersAtAsync(text, cancel))
                Good("address", $"{text} is in use by a server of postern");
            else
                Bad("address", $"{text} cannot be listened on: {ListenUrls.Explain(why)}");
        }
    }
}

using System.Diagnostics;
using Postern.Hosting;

namespace Postern.Tests.Hosting;

/// <summary>Which folders a server accepts as its own.</summary>
public sealed class DataFolderTests : IDisposable
{
    private const UnixFileMode Closed = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Open = (UnixFileMode)0b111_111_111;
    private readonly string _folder = Directory.CreateTempSubdirectory("postern-folder-").FullName;

    public DataFolderTests() => File.SetUnixFileMode(_folder, Open);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_folder_with_something_else_in_it_keeps_its_mode_and_the_server_says_what_to_do()
    {
        File.WriteAllText(Path.Combine(_folder, "letters.txt"), "not ours");
        var fault = Assert.Throws<SetupException>(() => new DataFolder(_folder).Prepare());
        Assert.Contains("letters.txt", fault.Message, StringComparison.Ordinal);
        Assert.Contains("--data", fault.Message, StringComparison.Ordinal);
        Assert.Equal(Open, File.GetUnixFileMode(_folder));
    }

    [Fact]
    public void A_folder_of_somebody_else_keeps_its_mode()
    {
        // Root may change the mode of any folder without being its owner; others are not root.
        var folder = Environment.UserName == "root" ? _folder : "/tmp";
        if (folder == _folder)
            Process.Start("chown", ["65534", _folder]).WaitForExit();
        Assert.False(FileOwner.IsMe(folder));
        var mode = File.GetUnixFileMode(folder);
        Assert.Throws<SetupException>(() => new DataFolder(folder).Prepare());
        Assert.Equal(mode, File.GetUnixFileMode(folder));
    }

    [Fact]
    public void A_folder_of_ones_own_that_is_empty_or_the_servers_is_closed()
    {
        Assert.True(FileOwner.IsMe(_folder));
        new DataFolder(_folder).Prepare();
        Assert.Equal(Closed, File.GetUnixFileMode(_folder));
        File.SetUnixFileMode(_folder, Open);
        foreach (
            var name in (string[])
                [
                    "postern.db",
                    "postern.db-wal",
                    "master.key",
                    "postern.lock",
                    "postern.json",
                    "postern.db.before-restore",
                ]
        )
            File.WriteAllText(Path.Combine(_folder, name), "");
        new DataFolder(_folder).Prepare();
        Assert.Equal(Closed, File.GetUnixFileMode(_folder));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite,
            File.GetUnixFileMode(Path.Combine(_folder, "master.key"))
        );
    }

    [Fact]
    public void A_closed_session_does_not_change_the_rules_for_open_ones()
    {
        File.WriteAllText(Path.Combine(_folder, "backup-monday.db"), "");
        File.SetUnixFileMode(_folder, Closed);
        new DataFolder(_folder).Prepare();
    }

    [Fact]
    public async Task A_start_without_the_master_key_of_its_database_leaves_none_behind()
    {
        var serve = new ServeOptions(Path.Combine(_folder, "data"), "http://127.0.0.1:0", null, Dev: false);
        serve.Folder.Prepare();
        var key = serve.ReadMasterKey();
        await using (var database = await serve.OpenDatabaseAsync(TimeProvider.System, default))
        {
            await database.WriteAsync(tx =>
                tx.ExecuteAsync("INSERT INTO meta (name, number, bytes) VALUES ('master_key', 0, $1)", key.Fingerprint)
            );
        }
        Assert.Equal(key.Fingerprint, serve.ReadMasterKey().Fingerprint);
        File.Move(serve.Folder.MasterKey, Path.Combine(_folder, "kept.key"));
        var fault = Assert.Throws<SetupException>(() => serve.ReadMasterKey());
        Assert.Contains("put back the one that belongs to this database", fault.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(serve.Folder.MasterKey));
        File.Move(Path.Combine(_folder, "kept.key"), serve.Folder.MasterKey);
        Assert.Equal(key.Fingerprint, serve.ReadMasterKey().Fingerprint);
    }
}

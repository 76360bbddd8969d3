using Npgsql;

namespace Postern.Storage;

/// <summary>A connection, and what is given back with it.</summary>
internal sealed class PostgresPlace : IAsyncDisposable
{
    public NpgsqlConnection? Connection { get; set; }

    /// <summary>Set when a row that was wanted was held for too long.</summary>
    public bool MetHeldRow { get; set; }

    /// <summary>Gives the place among the writers about one subject back.</summary>
    public Action? LeaveSubject { get; set; }

    /// <summary>Gives the place among the connections of such askers back.</summary>
    public Action? LeaveAskers { get; set; }

    public async ValueTask DisposeAsync()
    {
        if (Connection is not null)
            await Connection.DisposeAsync();
        LeaveAskers?.Invoke();
        LeaveSubject?.Invoke();
    }
}

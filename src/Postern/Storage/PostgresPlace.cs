using Npgsql;

namespace Postern.Storage;

/// <summary>A connection, and the places that are released with it.</summary>
internal sealed class PostgresPlace : IAsyncDisposable
{
    public NpgsqlConnection? Connection { get; set; }

    /// <summary>Set when a wanted row was held for too long.</summary>
    public bool MetHeldRow { get; set; }

    /// <summary>
    /// Set when a prepared statement is not there. A command that fails before it is sent makes the driver believe that
    /// its statement is prepared.
    /// </summary>
    public bool HasLostStatements { get; set; }

    /// <summary>Releases the place among the writers about one subject.</summary>
    public Action? LeaveSubject { get; set; }

    /// <summary>Releases the place among the connections of its kind of user.</summary>
    public Action? LeaveAskers { get; set; }

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (HasLostStatements && Connection is { State: System.Data.ConnectionState.Open })
                Connection.UnprepareAll();
            if (Connection is not null)
                await Connection.DisposeAsync();
        }
        finally
        {
            // The driver may throw anything about a broken connection. The place must be released all the same.
            LeaveAskers?.Invoke();
            LeaveSubject?.Invoke();
        }
    }
}

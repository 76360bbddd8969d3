using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <content>Batches: what waits is run together and committed once.</content>
internal sealed partial class SqliteDatabase
{
    /// <summary>
    /// Something failed on the way to the answers, where nothing should: a process without memory or descriptors meets
    /// that anywhere. Nobody waits for an answer that is not given, and the log comes last, since it may be what fails.
    /// </summary>
    private void FailAll(List<SqliteWrite> batch, Exception fault, Exception told)
    {
        foreach (var write in batch)
            write.Fail(told);
        try
        {
            StorageLog.WriterFailed(Changes.Log, batch.Count, fault);
        }
        catch (Exception)
        {
            // There is nowhere to say it.
        }
    }

    private void WriteBatch(List<SqliteWrite> batch)
    {
        var began = Stopwatch.GetTimestamp();
        SqliteTx tx;
        var commits = false;
        try
        {
            _writing.Execute("BEGIN IMMEDIATE", []);
            while (batch.Count < MaxBatch && TryTake(out var write))
                if (write.Begin())
                    batch.Add(write);
            tx = RunAll(batch);
            commits = true;
            _writing.Execute("COMMIT", []);
        }
        catch (Exception fault)
        {
            RollBack();
            Writes.Failed();
            if (fault is not SqliteException sqlite)
            {
                FailAll(
                    batch,
                    fault,
                    commits
                        ? new StorageOutcomeUnknownException(Failed, fault)
                        : new StorageUnavailableException(Failed, fault)
                );
                batch.Clear();
                return;
            }
            var told = commits ? SqliteFaults.TranslateOfCommit(sqlite) : SqliteFaults.Translate(sqlite);
            foreach (var write in batch)
                write.Fail(told);
            // None could begin, so none that waits can: they are told now, and not each after a wait of its own.
            if (batch.Count == 0)
                while (TryTake(out var waiting))
                    waiting.Refuse(told);
            batch.Clear();
            return;
        }
        // It is committed: first the answers, then whoever wants to know, and none of them on this thread.
        Writes.Succeeded();
        Changes.Marked(tx.Touched);
        Tally.Add(tx.Tallied);
        Answer(batch);
        var commands = batch.Count;
        batch.Clear();
        Changes.Committed(tx.Touched);
        Committed(commands, Stopwatch.GetElapsedTime(began));
    }

    /// <summary>
    /// The answers of a batch go on in one work item, one after another: they are short, and a work item each costs
    /// more than they do.
    /// </summary>
    private static void Answer(List<SqliteWrite> batch)
    {
        var answered = batch.ToArray();
        ThreadPool.UnsafeQueueUserWorkItem(
            static writes =>
            {
                foreach (var write in writes)
                    write.Answer();
            },
            answered,
            preferLocal: false
        );
    }

    private SqliteTx RunAll(List<SqliteWrite> batch)
    {
        var tx = new SqliteTx(_writing, this);
        try
        {
            foreach (var write in batch)
                write.Run(tx);
            return tx;
        }
        catch (Exception)
        {
            // One of them fails: again from the start, each in a savepoint.
            RollBack();
            _writing.Execute("BEGIN IMMEDIATE", []);
            tx = new SqliteTx(_writing, this);
            foreach (var write in batch)
                RunInSavepoint(write, tx);
            return tx;
        }
    }

    private void RunInSavepoint(SqliteWrite write, SqliteTx tx)
    {
        var told = tx.Told;
        _writing.Execute("SAVEPOINT command", []);
        try
        {
            write.Run(tx);
        }
        catch (Exception fault)
        {
            // A fault that ended the transaction (disk full, I/O error) leaves no savepoint: the batch fails, with that
            // fault and not with one about the savepoint.
            if (!RollBackToSavepoint())
                throw;
            tx.ForgetTold(told);
            tx.Cache.Clear();
            write.Fault = fault is SqliteException sqlite ? SqliteFaults.Translate(sqlite) : fault;
        }
        _writing.Execute("RELEASE command", []);
    }

    /// <summary>Returns false when SQLite has already ended the transaction, and the savepoint with it.</summary>
    private bool RollBackToSavepoint()
    {
        try
        {
            _writing.Execute("ROLLBACK TO command", []);
            return true;
        }
        catch (SqliteException)
        {
            return false;
        }
    }

    private void RollBack()
    {
        try
        {
            _writing.Execute("ROLLBACK", []);
        }
        catch (Exception)
        {
            // SQLite has already ended the transaction: there is nothing to roll back.
        }
    }
}

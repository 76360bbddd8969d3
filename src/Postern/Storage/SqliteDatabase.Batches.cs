using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;

namespace Postern.Storage;

/// <content>Batches: what waits is run together and committed once.</content>
internal sealed partial class SqliteDatabase
{
    /// <summary>
    /// Something failed while the answers were given, where nothing should fail. A process without memory or
    /// descriptors may fail anywhere. Every waiting caller gets an answer, and the log comes last, because it may be
    /// what fails.
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
            // The log failed too; there is nowhere to report it.
        }
    }

    private void WriteBatch(List<SqliteWrite> batch)
    {
        var began = Stopwatch.GetTimestamp();
        SqliteTx tx;
        var commits = false;
        try
        {
            if (_place.WasGone && !_place.IsInPlace())
                throw new StorageUnavailableException(_place.Missing);
            _writing.Execute("BEGIN IMMEDIATE", []);
            while (batch.Count < MaxBatch && TryTake(out var write))
                if (write.Begin())
                    batch.Add(write);
            tx = RunAll(batch);
            commits = true;
            _writing.Execute("COMMIT", []);
            // What was committed to a file that is gone is kept only if it is put back.
            if (!_place.IsInPlace())
                throw new StorageOutcomeUnknownException(_place.Missing);
        }
        catch (Exception fault)
        {
            RollBack();
            Writes.Failed();
            if (fault is not (SqliteException or StorageUnavailableException))
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
            var told = fault switch
            {
                SqliteException sqlite when commits => SqliteFaults.TranslateOfCommit(sqlite),
                SqliteException sqlite => SqliteFaults.Translate(sqlite),
                _ => fault,
            };
            foreach (var write in batch)
                write.Fail(told);
            // No transaction could begin, so every waiting command would fail too. They all fail now, not one after
            // another.
            if (batch.Count == 0)
                while (TryTake(out var waiting))
                    waiting.Refuse(told);
            batch.Clear();
            return;
        }
        // It is committed: first the answers, then the listeners, none of them on this thread.
        Writes.Succeeded();
        Changes.Marked(tx.NotifiedTopics);
        Tally.Add(tx.Tallied);
        Answer(batch);
        var commands = batch.Count;
        batch.Clear();
        Changes.Committed(tx.NotifiedTopics);
        Committed(commands, Stopwatch.GetElapsedTime(began));
    }

    /// <summary>
    /// The answers of a batch run one after another in one work item. They are short, and a work item for each would
    /// cost more.
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
            // One of the commands failed: run the batch again from the start, each command in a savepoint.
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
        var told = tx.Announced;
        _writing.Execute("SAVEPOINT command", []);
        try
        {
            write.Run(tx);
        }
        catch (Exception fault)
        {
            // A fault that ended the transaction (disk full, I/O error) leaves no savepoint. The batch then fails with
            // that fault, not with one about the savepoint.
            if (!RollBackToSavepoint())
                throw;
            tx.ForgetAfter(told);
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
            // SQLite has already ended the transaction, so there is nothing to roll back.
        }
    }
}

using Microsoft.Data.Sqlite;
using Postern.Storage;

namespace Postern.Tests.Storage;

/// <summary>A row is written and read by the record that declares its columns.</summary>
public sealed class RowTests
{
    [Fact]
    public void The_columns_stand_in_the_order_in_which_they_are_declared()
    {
        Assert.Equal("project, kind, owner, note, size, until, open, body, words", Row<Sample>.Columns);
        Assert.Equal("$1, $2, $3, $4, $5, $6, $7, $8, $9", Row<Sample>.Parameters);
        Assert.Equal(9, Row<Sample>.Count);
    }

    [Fact]
    public void Written_rows_can_be_read()
    {
        var full = new Sample
        {
            Project = "p",
            Name = new Part("user", "ann"),
            Note = "a note",
            Size = 7,
            Until = 8,
            Open = true,
            Body = [1, 2],
            Words = ["a", "b"],
        };
        var bare = new Sample
        {
            Project = "p",
            Name = new Part("org", "acme"),
            Words = [],
        };
        foreach (var row in new[] { full, bare })
        {
            var read = Kept(row);
            Assert.Equal((row.Project, row.Name, row.Note), (read.Project, read.Name, read.Note));
            Assert.Equal((row.Size, row.Until, row.Open), (read.Size, read.Until, read.Open));
            Assert.Equal(row.Body, read.Body);
            Assert.Equal(row.Words, read.Words);
        }
    }

    [Fact]
    public void A_type_that_no_column_has_is_a_fault_of_the_record() =>
        Assert.Throws<TypeInitializationException>(() => Row<Unfit>.Read);

    private static Sample Kept(Sample row)
    {
        using var database = new SqliteConnection("Data Source=:memory:");
        database.Open();
        using var command = database.CreateCommand();
        command.CommandText = $"""
            CREATE TABLE sample (project TEXT, kind TEXT, owner TEXT, note TEXT, size INTEGER, until INTEGER,
              open INTEGER, body BLOB, words TEXT);
            INSERT INTO sample ({Row<Sample>.Columns}) VALUES ({Row<Sample>.Parameters});
            """;
        foreach (var (place, value) in Row<Sample>.Values(row).Index())
            command.Parameters.AddWithValue($"${place + 1}", value ?? DBNull.Value);
        command.ExecuteNonQuery();
        command.CommandText = $"SELECT {Row<Sample>.Columns} FROM sample";
        using var reader = command.ExecuteReader();
        Assert.True(reader.Read());
        return Row<Sample>.Read(reader);
    }

    private sealed record Part([property: Column("kind")] string Kind, [property: Column("owner")] string Owner);

    private sealed record Sample
    {
        [Column("project")]
        public required string Project { get; init; }

        [Column]
        public required Part Name { get; init; }

        [Column("note")]
        public string? Note { get; init; }

        [Column("size")]
        public long Size { get; init; }

        [Column("until")]
        public long? Until { get; init; }

        [Column("open")]
        public bool Open { get; init; }

        [Column("body")]
        public byte[]? Body { get; init; }

        public required IReadOnlyList<string> Words { get; init; }

        [Column("words")]
        public string WordList
        {
            get => string.Join(',', Words);
            init => Words = value.Split(',', StringSplitOptions.RemoveEmptyEntries);
        }
    }

    private sealed record Unfit([property: Column("at")] DateTime At);
}

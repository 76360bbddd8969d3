using System.Buffers;
using System.Data.Common;
using System.Text;
using System.Text.Json;
using Postern.Http;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// The row of an event, or of several that happened together. The first is in its columns, the others in <c>more</c>, a
/// JSON list of <c>{type, subject, id, body}</c>. They share the row's position. Within it, they are ordered by id,
/// which is the order in which they happened. All events of a row have the same readers, decided by the row's subject
/// (<see cref="HiddenSubjects"/>).
/// </summary>
internal static class EventRow
{
    /// <summary>The order of the list.</summary>
    public static readonly ListOrder Order = new("event", "position");

    private const string Columns = "id, type, subject, body, position, more";

    public static void Insert(Tx tx, string project, long at, IReadOnlyList<Event> events)
    {
        var first = events[0];
        tx.Queue(
            $"""
            INSERT INTO event (project, id, at, type, subject, body, position, more)
            VALUES ($1, $2, $3, $4, $5, $6, {tx.NextPosition(project: "$1", now: "$3")}, $7)
            """,
            project,
            first.Id,
            at,
            first.Type,
            first.Subject,
            first.Body,
            events.Count == 1 ? null : MoreOf(events.Skip(1))
        );
    }

    /// <summary>Returns rows that contain an event of a type and about a subject; null: of any.</summary>
    public static ListQuery Narrow(ListQuery query, string? type, string? subject)
    {
        if (type is null && subject is null)
            return query;
        var own = new List<string>();
        if (type is not null)
            own.Add($"type = {query.Arg(type)}");
        if (subject is not null)
            own.Add($"subject = {query.Arg(subject)}");
        var behind = query.Arg(PatternOf(type, subject));
        return query.And($"({string.Join(" AND ", own)} OR more LIKE {behind} ESCAPE '!')");
    }

    /// <summary>
    /// Reads up to a number of events that match a query, newest first. The list goes on behind the last one.
    /// </summary>
    /// <param name="query">By <see cref="Narrow"/>, with its bounds.</param>
    /// <param name="from">The place behind which the events stand; it may be inside a row.</param>
    /// <param name="passes">Whether an event of a row that was found is asked for.</param>
    /// <param name="most">Events.</param>
    public static async ValueTask<List<Event>> ReadAsync(
        ListQuery query,
        (long Position, string Id) from,
        Func<Event, bool> passes,
        int most
    )
    {
        var found = new List<Event>();
        while (true)
        {
            var rows = await query.ReadAsync(Order, Columns, Read, most);
            foreach (var row in rows)
                for (var i = row.Count - 1; i >= 0; i--)
                    if (IsBehind(row[i], from) && passes(row[i]))
                        found.Add(row[i]);
            if (found.Count >= most || rows.Count < most)
                return found.Count > most ? found[..most] : found;
            // Some rows had all their events before the position, or none that matches.
            query.Beyond(Order, (rows[^1][0].Position, rows[^1][0].Id));
        }
    }

    private static bool IsBehind(Event one, (long Position, string Id) from) =>
        one.Position < from.Position || (one.Position == from.Position && string.CompareOrdinal(one.Id, from.Id) < 0);

    /// <summary>Returns the events of a row, in the order in which they happened.</summary>
    private static List<Event> Read(DbDataReader row)
    {
        var position = row.GetInt64(4);
        var events = new List<Event>
        {
            new(row.GetString(0), row.GetString(1), row.GetString(2), row.Bytes(3)) { Position = position },
        };
        if (row.TextOrNull(5) is not { } more)
            return events;
        using var json = JsonDocument.Parse(more);
        foreach (var one in json.RootElement.EnumerateArray())
            events.Add(
                new Event(
                    one.GetProperty("id").GetString()!,
                    one.GetProperty("type").GetString()!,
                    one.GetProperty("subject").GetString()!,
                    Encoding.UTF8.GetBytes(one.GetProperty("body").GetRawText())
                )
                {
                    Position = position,
                }
            );
        return events;
    }

    /// <summary>The searched members come first, so that one pattern finds them.</summary>
    private static string MoreOf(IEnumerable<Event> events)
    {
        var written = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(written, Wire.WriterOptions))
        {
            json.WriteStartArray();
            foreach (var one in events)
            {
                json.WriteStartObject();
                json.WriteString("type", one.Type);
                json.WriteString("subject", one.Subject);
                json.WriteString("id", one.Id);
                json.WritePropertyName("body");
                json.WriteRawValue(one.Body, skipInputValidation: true);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        return Encoding.UTF8.GetString(written.WrittenSpan);
    }

    private static string PatternOf(string? type, string? subject)
    {
        var text =
            (type is null ? "," : "{\"type\":" + Json(type) + ",")
            + (subject is null ? "" : "\"subject\":" + Json(subject) + ",");
        return "%"
            + text.Replace("!", "!!", StringComparison.Ordinal)
                .Replace("%", "!%", StringComparison.Ordinal)
                .Replace("_", "!_", StringComparison.Ordinal)
            + "%";
    }

    private static string Json(string text) => JsonSerializer.Serialize(text, Wire.Json);
}

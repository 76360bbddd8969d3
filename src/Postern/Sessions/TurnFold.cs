using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>
/// The beginning of a turn's message: what was folded outside of a transaction. The message is its pieces, its head,
/// and the end that is folded inside.
/// </summary>
/// <param name="From">The first record of the turn.</param>
/// <param name="Next">The record that comes next.</param>
internal sealed record FoldedTurn(long From, long Next)
{
    /// <summary>Bytes of records that were folded.</summary>
    public long Taken { get; init; }

    /// <summary>The turn is longer than its bound: no more is taken.</summary>
    public bool IsCut { get; init; }

    /// <summary>Something was said.</summary>
    public bool HasBlocks { get; init; }

    /// <summary>The id of the text that the JSON ends in; null when it ends behind a block.</summary>
    public string? OpenText { get; init; }

    /// <summary>The escape of half a character that this text ends with, held back: its other half may come.</summary>
    public ReadOnlyMemory<byte> Half { get; init; }

    /// <summary>What the agent calls the message, and its clients after it; null when it gave it no name.</summary>
    public string? ClientId { get; init; }

    /// <summary>The id of the message whose pieces these are; null while there is none.</summary>
    public string? MessageId { get; init; }

    /// <summary>Pieces of the JSON that are in the database.</summary>
    public long Pieces { get; init; }

    /// <summary>The JSON that follows them.</summary>
    public ReadOnlyMemory<byte> Head { get; init; }
}

/// <summary>
/// Folds the records that an agent streamed in one turn (AI SDK UI message chunks) into the one assistant message that the
/// transcript keeps: text deltas joined by their text part, tool calls and their results, in the order in which each began.
///
/// A fold goes on where another one has ended (<see cref="FoldedTurn"/>), so a long turn is folded outside of a
/// transaction and only its end inside. Texts are joined as the JSON that they came as: half of a character at the end
/// of one delta meets its other half at the beginning of the next, and a long text is never decoded. Where one fold has
/// ended, texts but the last are closed: what comes for them begins a new one.
/// </summary>
internal sealed class TurnFold
{
    /// <summary>
    /// Bytes of a record that is looked at although the turn is over its bound: it may be an error, which is always
    /// shown.
    /// </summary>
    private const int MaxLate = 64 * 1024;
    private readonly long _most;
    private readonly FoldedTurn? _before;
    private readonly List<Block> _blocks = [];
    private readonly Dictionary<string, Block> _texts = new(StringComparer.Ordinal);

    /// <param name="most">
    /// Bytes of records that a message is made of; what is beyond is cut, and the message says so. 0: no bound.
    /// </param>
    /// <param name="before">What was folded already, or null.</param>
    public TurnFold(long most, FoldedTurn? before)
    {
        (_most, _before, Taken, IsCut) = (most, before, before?.Taken ?? 0, before?.IsCut ?? false);
        ClientId = before?.ClientId;
        if (before?.OpenText is not { } open) return;
        Continued = new Block(open, null);
        Continued.Text.Write(before.Half.Span);
        _blocks.Add(_texts[open] = Continued);
    }

    public long Taken { get; private set; }

    public bool IsCut { get; private set; }

    /// <summary>What the agent calls the message; null when it gave it no name.</summary>
    public string? ClientId { get; private set; }

    /// <summary>The text that <c>before</c> ends in.</summary>
    private Block? Continued { get; }

    public void Add(ReadOnlyMemory<byte> body, long size)
    {
        if (_most > 0 && Taken + size > _most) IsCut = true;
        else Taken += size;
        if (body.Length == 0 || (IsCut && body.Length > MaxLate)) return;
        using var envelope = JsonDocument.Parse(body);
        var data = envelope.RootElement.GetProperty("data");
        if (data.ValueKind == JsonValueKind.String) AddText(MendedJson.TextOf(data));
        else AddChunk(data);
    }

    /// <summary>The rest of the message's JSON; null when the turn has said nothing at all.</summary>
    public byte[]? End()
    {
        if (_blocks.Count == 0 && !IsCut && _before is not { HasBlocks: true }) return null;
        var json = Render(open: null);
        if (IsCut)
        {
            if (_blocks.Count > 0 || _before is { HasBlocks: true }) json.Write(","u8);
            var note = $"\n...(cut: a message is made of the first {_most} bytes of a turn)...";
            json.Write(Written(w => ChatMessage.WriteText(w, note)));
        }
        json.Write("]"u8);
        return json.WrittenSpan.ToArray();
    }

    /// <summary>
    /// The JSON so far, as far as it is certain, and where it has come to: a text that stands last is left open for
    /// what follows.
    /// </summary>
    public (ReadOnlyMemory<byte> Json, FoldedTurn Now) Beginning(long from, long next)
    {
        var last = _blocks.Count > 0 ? _blocks[^1] : null;
        var isOpen = last is { Json: null } && _texts.GetValueOrDefault(last.Id) == last;
        var open = isOpen ? last : null;
        var now = new FoldedTurn(from, next)
        {
            Taken = Taken,
            ClientId = ClientId,
            IsCut = IsCut,
            HasBlocks = _blocks.Count > 0 || _before is { HasBlocks: true },
            OpenText = open?.Id,
            Half = open is null ? default : MendedJson.HalfAtTheEnd(open.Text.WrittenMemory),
        };
        return (now.HasBlocks ? Render(open).WrittenMemory : default, now);
    }

    /// <summary>The text of a delta chunk, or null for any other: what a follower of the history sees of a text still being made.</summary>
    public static string? DeltaOf(JsonElement data) =>
        data.ValueKind == JsonValueKind.Object && TextOf(data, "type") == "text-delta" && DeltaIn(data) is { } delta
            ? MendedJson.TextOf(delta)
            : null;

    private ArrayBufferWriter<byte> Render(Block? open)
    {
        var json = new ArrayBufferWriter<byte>(_blocks.Sum(b => (b.Json?.Length ?? b.Text.WrittenCount) + 64) + 256);
        var begun = _before is { HasBlocks: true };
        if (!begun) json.Write("["u8);
        foreach (var block in _blocks)
        {
            if (begun && block != Continued) json.Write(","u8);
            begun = true;
            if (block.Json is not null)
            {
                json.Write(block.Json);
                continue;
            }
            if (block != Continued) json.Write("{\"type\":\"text\",\"text\":\""u8);
            var text = block.Text.WrittenMemory;
            if (block == open) text = text[..^MendedJson.HalfAtTheEnd(text).Length];
            json.Write(MendedJson.Of(text).Span);
            if (block != open) json.Write("\"}"u8);
        }
        return json;
    }

    /// <summary>A record appended as text may hold a chunk as JSON; any other text is no part of the answer.</summary>
    private void AddText(string text)
    {
        if (!text.AsSpan().TrimStart().StartsWith("{")) return;
        try
        {
            using var json = JsonDocument.Parse(text);
            AddChunk(json.RootElement);
        }
        catch (JsonException)
        {
            // Not a chunk: it was streamed to whoever listens, and that is all.
        }
    }

    private void AddChunk(JsonElement chunk)
    {
        if (chunk.ValueKind != JsonValueKind.Object) return;
        var type = TextOf(chunk, "type");
        if (IsCut && type != "error") return;
        switch (type)
        {
            case "start":
                ClientId ??= ChatMessage.IdOf(chunk, "messageId");
                break;
            case "text-start":
                _texts.Remove(TextOf(chunk, "id") ?? "");
                break;
            case "text-delta" when DeltaIn(chunk) is { } delta
                && JsonMarshal.GetRawUtf8Value(delta) is { Length: > 2 } raw:
                TextPart(TextOf(chunk, "id") ?? "").Write(raw[1..^1]);
                break;
            case "tool-input-available":
                Add(json =>
                {
                    json.WriteString("type", "toolCall");
                    json.WriteString("id", TextOf(chunk, "toolCallId"));
                    json.WriteString("name", TextOf(chunk, "toolName"));
                    WriteJson(json, "arguments", chunk, "input");
                });
                break;
            case "tool-output-available":
                Add(json =>
                {
                    json.WriteString("type", "toolResult");
                    json.WriteString("toolCallId", TextOf(chunk, "toolCallId"));
                    WriteJson(json, "output", chunk, "output");
                });
                break;
            case "error":
                Add(json =>
                {
                    json.WriteString("type", "error");
                    json.WriteString("text", TextOf(chunk, "errorText") ?? "error");
                });
                break;
        }
    }

    private void Add(Action<Utf8JsonWriter> members) => _blocks.Add(new Block("", Written(json =>
    {
        json.WriteStartObject();
        members(json);
        json.WriteEndObject();
    })));

    private ArrayBufferWriter<byte> TextPart(string id)
    {
        if (!_texts.TryGetValue(id, out var block)) _blocks.Add(block = _texts[id] = new Block(id, null));
        return block.Text;
    }

    private static byte[] Written(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, Wire.WriterOptions);
        write(json);
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static JsonElement? DeltaIn(JsonElement chunk) =>
        chunk.TryGetProperty("delta", out var delta) && delta.ValueKind == JsonValueKind.String ? delta
        : chunk.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String ? text : null;

    private static string? TextOf(JsonElement chunk, string name) =>
        chunk.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? MendedJson.TextOf(value)
            : null;

    private static void WriteJson(Utf8JsonWriter json, string name, JsonElement chunk, string from)
    {
        json.WritePropertyName(name);
        if (!chunk.TryGetProperty(from, out var value)) json.WriteNullValue();
        else json.WriteRawValue(MendedJson.Of(JsonMarshal.GetRawUtf8Value(value).ToArray()).Span, true);
    }

    /// <param name="id">Of a text; empty for what is none.</param>
    /// <param name="json">The whole block; null for a text, which grows.</param>
    private sealed class Block(string id, byte[]? json)
    {
        public string Id { get; } = id;

        public byte[]? Json { get; } = json;

        /// <summary>The inside of a JSON string, as it came.</summary>
        public ArrayBufferWriter<byte> Text { get; } = new();
    }
}

using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>
/// Folds the records that an agent streamed in one turn (AI SDK UI message chunks) into one assistant message for the
/// transcript: text deltas joined by their text part, tool calls with their results, and every other part, in the order
/// of their first chunks. A call has one result, the last. A call that failed or was denied is an error.
///
/// A fold can continue where another one has ended (<see cref="FoldedTurn"/>), so a long turn is folded outside of a
/// transaction and only its end inside. Texts are joined in their JSON form: a half character at the end of one delta
/// meets its other half at the beginning of the next, and a long text is never decoded. A block that a later chunk may
/// replace (a preliminary result, a data part with an id) is held back, and stands where its last version came. At the
/// end of one fold, all texts except the last are closed: a later delta for them begins a new text. Blocks that were
/// written stay.
/// </summary>
internal sealed class TurnAssembler
{
    /// <summary>
    /// The largest record that is read although the turn has reached its limit. It may be an error, which is always
    /// shown.
    /// </summary>
    private const int MaxLate = 64 * 1024;

    /// <summary>The most names that are remembered. Of more calls, one might be shown twice.</summary>
    private const int MaxNames = 2000;

    private const int MaxName = 256;

    /// <summary>What each type of chunk adds to a message.</summary>
    private static readonly Dictionary<string, Action<TurnAssembler, JsonElement>> Chunks = new(StringComparer.Ordinal)
    {
        ["start"] = (fold, chunk) => fold.ClientId ??= ChatMessage.IdOf(chunk, "messageId"),
        ["text-start"] = (fold, chunk) => fold.CloseText(TurnBlocks.Text, chunk),
        ["text-delta"] = (fold, chunk) => fold.AddDelta(TurnBlocks.Text, chunk),
        ["reasoning-start"] = (fold, chunk) => fold.CloseText(TurnBlocks.Reasoning, chunk),
        ["reasoning-delta"] = (fold, chunk) => fold.AddDelta(TurnBlocks.Reasoning, chunk),
        ["tool-input-available"] = (fold, chunk) => fold.Put(CallOf(chunk), TurnBlocks.Call(chunk)),
        ["tool-input-error"] = (fold, chunk) =>
        {
            fold.Put(CallOf(chunk), TurnBlocks.Call(chunk));
            fold.Put(ResultOf(chunk), TurnBlocks.Failure(chunk, "the input of the call is invalid"));
        },
        ["tool-output-available"] = (fold, chunk) =>
        {
            var isPreliminary =
                chunk.TryGetProperty("preliminary", out var given) && given.ValueKind == JsonValueKind.True;
            if (isPreliminary)
                fold.Hold(ResultOf(chunk), TurnBlocks.Result(chunk));
            else
                fold.Put(ResultOf(chunk), TurnBlocks.Result(chunk));
        },
        ["tool-output-error"] = (fold, chunk) => fold.Put(ResultOf(chunk), TurnBlocks.Failure(chunk, "error")),
        ["tool-output-denied"] = (fold, chunk) => fold.Put(ResultOf(chunk), TurnBlocks.Failure(chunk, "denied")),
        ["tool-approval-request"] = (fold, chunk) =>
            fold.Put(null, TurnBlocks.Copy(chunk, "toolApprovalRequest", "approvalId", "toolCallId")),
        ["tool-approval-response"] = (fold, chunk) =>
            fold.Put(null, TurnBlocks.Copy(chunk, "toolApprovalResponse", "approvalId", "approved", "reason")),
        ["source-url"] = (fold, chunk) =>
            fold.Put(null, TurnBlocks.Copy(chunk, "source-url", "sourceId", "url", "title")),
        ["source-document"] = (fold, chunk) =>
            fold.Put(null, TurnBlocks.Copy(chunk, "source-document", "sourceId", "mediaType", "title", "filename")),
        ["file"] = (fold, chunk) => fold.Put(null, TurnBlocks.Copy(chunk, "file", "url", "mediaType", "filename")),
        ["reasoning-file"] = (fold, chunk) =>
            fold.Put(null, TurnBlocks.Copy(chunk, "reasoning-file", "url", "mediaType")),
        ["custom"] = (fold, chunk) => fold.Put(null, TurnBlocks.Copy(chunk, "custom", "kind", "providerMetadata")),
        ["steering-message"] = (fold, chunk) =>
            fold.Put(null, TurnBlocks.Copy(chunk, "steering-message", "id", "parts")),
        ["error"] = (fold, chunk) => fold.Put(null, TurnBlocks.Error(chunk)),
        ["start-step"] = (fold, _) => fold._step = fold._blocks.Count,
        ["reset-step"] = (fold, _) => fold.ResetStep(),
    };

    /// <summary>
    /// Types that add nothing: ends of parts, the beginning of a call (a call is made when its input is complete), and
    /// information about the message.
    /// </summary>
    private static readonly string[] Silent =
    [
        "text-end",
        "reasoning-end",
        "tool-input-start",
        "tool-input-delta",
        "finish-step",
        "finish",
        "abort",
        "message-metadata",
    ];

    private readonly long _most;
    private readonly FoldedTurn? _before;
    private readonly List<Block> _blocks = [];
    private readonly Dictionary<string, Block> _texts = new(StringComparer.Ordinal);
    private readonly HashSet<string> _names;
    private readonly OrderedDictionary<string, byte[]> _held;

    /// <summary>The beginning of the agent's present step, as far as it is in this fold.</summary>
    private int _step;

    /// <param name="most">
    /// Bytes of records that a message is made of; what is beyond is cut, and the message says so. 0: no bound.
    /// </param>
    /// <param name="before">What was folded already, or null.</param>
    public TurnAssembler(long most, FoldedTurn? before)
    {
        (_most, _before, Taken, IsCut) = (most, before, before?.Taken ?? 0, before?.IsCut ?? false);
        ClientId = before?.ClientId;
        _names = new HashSet<string>(before?.Names ?? new HashSet<string>(), StringComparer.Ordinal);
        _held = new OrderedDictionary<string, byte[]>(before?.Held ?? [], StringComparer.Ordinal);
        if (before?.OpenText is not { } open)
            return;
        Continued = new Block(open, null);
        Continued.Text.Write(before.Half.Span);
        _blocks.Add(_texts[open] = Continued);
        _step = 1;
    }

    /// <summary>Returns whether a type of chunk is known. An unknown one adds nothing.</summary>
    public static bool Knows(string type) => Chunks.ContainsKey(type) || Silent.Contains(type) || IsData(type);

    public long Taken { get; private set; }

    public bool IsCut { get; private set; }

    /// <summary>The id that the agent gave the message; null without one.</summary>
    public string? ClientId { get; private set; }

    /// <summary>The text with which <c>before</c> ends.</summary>
    private Block? Continued { get; }

    public void Add(ReadOnlyMemory<byte> body, long size)
    {
        if (_most > 0 && Taken + size > _most)
            IsCut = true;
        else
            Taken += size;
        if (body.Length == 0 || (IsCut && body.Length > MaxLate))
            return;
        using var envelope = JsonDocument.Parse(MendedJson.NamesOf(body), Wire.Kept);
        var data = envelope.RootElement.GetProperty("data");
        if (data.ValueKind == JsonValueKind.String)
            AddText(MendedJson.TextOf(data));
        else
            AddChunk(data);
    }

    /// <summary>Returns the rest of the message's JSON, or null when the turn has said nothing.</summary>
    public byte[]? End()
    {
        foreach (var (_, block) in _held)
            _blocks.Add(new Block("", block));
        _held.Clear();
        if (_blocks.Count == 0 && !IsCut && _before is not { HasBlocks: true })
            return null;
        var json = Render(open: null);
        if (IsCut)
        {
            if (_blocks.Count > 0 || _before is { HasBlocks: true })
                json.Write(","u8);
            json.Write(TurnBlocks.Note($"\n...(cut: a message is made of the first {_most} bytes of a turn)..."));
        }
        json.Write("]"u8);
        return json.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Returns the JSON that is final so far, with the state of the fold. A text at the end stays open for more.
    /// </summary>
    public (ReadOnlyMemory<byte> Json, FoldedTurn Now) Beginning(long from, long next)
    {
        var last = _blocks.Count > 0 ? _blocks[^1] : null;
        var isOpen = last is { Json: null } && _texts.GetValueOrDefault(last.Name) == last;
        var open = isOpen ? last : null;
        var now = new FoldedTurn(from, next)
        {
            Taken = Taken,
            ClientId = ClientId,
            IsCut = IsCut,
            HasBlocks = _blocks.Count > 0 || _before is { HasBlocks: true },
            OpenText = open?.Name,
            Half = open is null ? default : MendedJson.HalfAtTheEnd(open.Text.WrittenMemory),
            Names = _names,
            Held = [.. _held],
        };
        return (now.HasBlocks ? Render(open).WrittenMemory : default, now);
    }

    /// <summary>
    /// Returns the text of a delta chunk, or null for other chunks. People who follow the history see it while it is
    /// being written.
    /// </summary>
    public static string? DeltaOf(JsonElement data) =>
        data.ValueKind == JsonValueKind.Object
        && TurnBlocks.TextOf(data, "type") == "text-delta"
        && DeltaIn(data) is { } delta
            ? MendedJson.TextOf(delta)
            : null;

    private ArrayBufferWriter<byte> Render(Block? open)
    {
        var json = new ArrayBufferWriter<byte>(_blocks.Sum(b => (b.Json?.Length ?? b.Text.WrittenCount) + 64) + 256);
        var begun = _before is { HasBlocks: true };
        if (!begun)
            json.Write("["u8);
        foreach (var block in _blocks)
        {
            if (begun && block != Continued)
                json.Write(","u8);
            begun = true;
            if (block.Json is not null)
            {
                json.Write(block.Json);
                continue;
            }
            if (block != Continued)
                json.Write(TurnBlocks.HeadOf(block.Name));
            var text = block.Text.WrittenMemory;
            if (block == open)
                text = text[..^MendedJson.HalfAtTheEnd(text).Length];
            json.Write(MendedJson.Of(text).Span);
            if (block != open)
                json.Write("\"}"u8);
        }
        return json;
    }

    /// <summary>
    /// A record that was appended as text may contain a chunk as JSON. Any other text is not part of the answer.
    /// </summary>
    private void AddText(string text)
    {
        if (!text.AsSpan().TrimStart().StartsWith("{"))
            return;
        try
        {
            // Inside the message it is nested deeper, and must still be readable.
            using var json = JsonDocument.Parse(
                MendedJson.NamesOf(Encoding.UTF8.GetBytes(text)),
                new JsonDocumentOptions { MaxDepth = Wire.MaxDepth - 4 }
            );
            AddChunk(json.RootElement);
        }
        catch (JsonException)
        {
            // Not a chunk: listeners have received it, and the message does not contain it.
        }
    }

    private void AddChunk(JsonElement chunk)
    {
        if (chunk.ValueKind != JsonValueKind.Object || TurnBlocks.TextOf(chunk, "type") is not { } type)
            return;
        if (IsCut && type != "error")
            return;
        if (Chunks.TryGetValue(type, out var take))
            take(this, chunk);
        else if (IsData(type))
            AddData(type, chunk);
    }

    private static bool IsData(string type) => type.StartsWith("data-", StringComparison.Ordinal);

    /// <summary>
    /// A part of the agent's own kind. Of several with one id, the last one counts. A transient one is only for
    /// listeners.
    /// </summary>
    private void AddData(string type, JsonElement chunk)
    {
        if (chunk.TryGetProperty("transient", out var transient) && transient.ValueKind == JsonValueKind.True)
            return;
        var block = TurnBlocks.Copy(chunk, type, "id", "data");
        if (TurnBlocks.TextOf(chunk, "id") is { } id)
            Hold($"{type}:{id}", block);
        else
            Put(null, block);
    }

    private void AddDelta(string kind, JsonElement chunk)
    {
        if (DeltaIn(chunk) is not { } delta || JsonMarshal.GetRawUtf8Value(delta) is not { Length: > 2 } raw)
            return;
        var name = kind + TurnBlocks.TextOf(chunk, "id");
        if (!_texts.TryGetValue(name, out var block))
            _blocks.Add(block = _texts[name] = new Block(name, null));
        block.Text.Write(raw[1..^1]);
    }

    private void CloseText(string kind, JsonElement chunk) => _texts.Remove(kind + TurnBlocks.TextOf(chunk, "id"));

    /// <summary>Adds a block. A block of the same name is replaced, unless it was written by an earlier fold.</summary>
    private void Put(string? name, byte[] json)
    {
        if (name is not null)
            _held.Remove(name);
        if (name is not null && !_names.Add(name))
        {
            var there = _blocks.FindIndex(b => b.Name == name);
            if (there >= 0)
                _blocks[there] = new Block(name, json);
            return;
        }
        _blocks.Add(new Block(name ?? "", json));
        if (_names.Count > MaxNames)
            _names.Remove(name ?? "");
    }

    /// <summary>A block that counts only when no other block of its name follows.</summary>
    private void Hold(string? name, byte[] json)
    {
        if (name is null)
        {
            Put(null, json);
            return;
        }
        _held.Remove(name);
        if (!_names.Contains(name))
            _held.Add(name, json);
    }

    /// <summary>The agent withdraws what it said in this step, as far as it is in this fold.</summary>
    private void ResetStep()
    {
        foreach (var block in _blocks.Skip(_step))
            _names.Remove(block.Name);
        _blocks.RemoveRange(_step, _blocks.Count - _step);
        _texts.Clear();
    }

    private static string? CallOf(JsonElement chunk) => NameOf("call:", chunk);

    private static string? ResultOf(JsonElement chunk) => NameOf("result:", chunk);

    private static string? NameOf(string what, JsonElement chunk) =>
        TurnBlocks.TextOf(chunk, "toolCallId") is { Length: <= MaxName } id ? what + id : null;

    private static JsonElement? DeltaIn(JsonElement chunk) =>
        chunk.TryGetProperty("delta", out var delta) && delta.ValueKind == JsonValueKind.String ? delta
        : chunk.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String ? text
        : null;

    /// <param name="name">
    /// Of a text its kind and id; of another block what it replaces; empty for what has none.</param>
    /// <param name="json">The whole block; null for a text, which grows.</param>
    private sealed class Block(string name, byte[]? json)
    {
        public string Name { get; } = name;

        public byte[]? Json { get; } = json;

        /// <summary>The inside of a JSON string, unchanged.</summary>
        public ArrayBufferWriter<byte> Text { get; } = new();
    }
}

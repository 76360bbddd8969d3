using System.Text.Json;
using Postern.Http;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>Reads a captured request by its id, with its message.</summary>
internal sealed class CaptureReader(Database database, ReadCaptureWhys whys)
{
    /// <summary>The place of a message's text in a record on <c>in</c>.</summary>
    private static readonly JsonPath Text = JsonPath.Parse("payload.message.parts[0].text")!;

    /// <summary>Returns the capture and its trigger, or null.</summary>
    public ValueTask<(Capture Capture, Trigger Trigger)?> FindAsync(string project, string id) =>
        database.ReadAsync<(Capture, Trigger)?>(async tx =>
            await CaptureStore.FindAsync(tx, project, id) is { } capture
            && await TriggerStore.FindByUidAsync(tx, project, capture.TriggerUid) is { } trigger
                ? (capture, trigger)
                : null
        );

    /// <summary>Returns why captures of one project have not ended, by their ids.</summary>
    public ValueTask<IReadOnlyDictionary<string, Why>> WhysAsync(IReadOnlyList<Capture> captures) =>
        database.ReadAsync(tx => whys(tx, captures));

    /// <summary>Returns the message made from it, or null when there is none or its session is gone.</summary>
    public async ValueTask<string?> PromptAsync(Capture capture)
    {
        if (capture is not { Session: { } session, InSeq: { } seq })
            return null;
        var name = new SessionRef(capture.Project, session, null, "", "");
        var records = await database.ReadAsync(tx => RecordStore.AfterAsync(tx, name, RecordStore.In, seq - 1, 1));
        if (records is not [{ Seq: var found, Body: { Length: > 0 } body }] || found != seq)
            return null;
        using var record = JsonDocument.Parse(body, Wire.Kept);
        if (!record.RootElement.TryGetProperty("data", out var data) || JsonText.Of(data) is not { } said)
            return null;
        using var json = JsonDocument.Parse(said, Wire.Kept);
        return Text.Find(json.RootElement) is { ValueKind: JsonValueKind.String } text ? JsonText.Of(text) : null;
    }
}

namespace Postern.Relay.Server;

/// <summary>The result of storing an envelope.</summary>
/// <param name="Why">Null when it is on disk, and otherwise why it is not.</param>
/// <param name="Seq">Its number.</param>
/// <param name="Id">Its id.</param>
/// <param name="At">When it was stored, in microseconds since 1970.</param>
internal readonly record struct PlacedEnvelope(StoreOutcome? Why, long Seq, string Id, long At)
{
    public static PlacedEnvelope Not(StoreOutcome why) => new(why, 0, "", 0);
}

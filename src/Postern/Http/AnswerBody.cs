namespace Postern.Http;

/// <summary>
/// Sends answers of any size to readers of any speed. The web server copies what it is given before it waits for the
/// reader. So it gets a piece at a time: whoever reads nothing has one piece there, and is cut off when it takes
/// minutes, not hours. The answer itself takes room of <see cref="BodyRoom"/> until it is sent.
/// </summary>
internal static class AnswerBody
{
    private const int Piece = 32 * 1024;

    /// <summary>Sends an answer, or a 503 when there is no room for it now.</summary>
    /// <param name="head">Sets the status and the headers.</param>
    public static async Task SendAsync(HttpContext http, ReadOnlyMemory<byte> body, Action<HttpResponse> head)
    {
        var room =
            body.Length > BodyRoom.Small && Arrival.Of(http) is null
                ? http.RequestServices.GetRequiredService<BodyRoom>()
                : null;
        var party = room?.TryTake(http, null, body.Length);
        if (room is not null && party is null)
        {
            await BodyRoom.Full.ExecuteAsync(http);
            return;
        }
        try
        {
            head(http.Response);
            http.Response.ContentLength = body.Length;
            if (!HttpMethods.IsHead(http.Request.Method))
                await WriteAsync(http, body);
        }
        finally
        {
            if (party is not null)
                room!.Free(party, body.Length);
        }
    }

    /// <summary>Writes bytes of an answer in pieces, each when the reader has taken those before.</summary>
    public static async Task WriteAsync(HttpContext http, ReadOnlyMemory<byte> bytes)
    {
        do
        {
            var piece = bytes[..Math.Min(bytes.Length, Piece)];
            await http.Response.Body.WriteAsync(piece, http.RequestAborted);
            bytes = bytes[piece.Length..];
        } while (bytes.Length > 0);
    }
}

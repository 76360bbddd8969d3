namespace Postern.Http;

/// <summary>
/// Sends answers of any size to readers of any speed. The web server copies what it is given before it waits for the
/// reader. So it gets a piece at a time: whoever reads nothing has one piece there, and is cut off when it takes
/// minutes, not hours. The answer itself takes room of <see cref="BodyRoom"/> until it is sent.
/// </summary>
internal static class AnswerBody
{
    private const int Piece = 64 * 1024;

    /// <summary>
    /// Sends an answer, or a 503 when there is no room for it now. An answer of one piece takes no room: the number of
    /// connections bounds them.
    /// </summary>
    /// <param name="head">Sets the status and the headers.</param>
    public static Task SendAsync(HttpContext http, ReadOnlyMemory<byte> body, Action<HttpResponse> head)
    {
        // An answer to a relayed request is in memory as a whole.
        if (body.Length > Piece && Arrival.Of(http) is null)
            return SendLongAsync(http, body, head);
        Begin(http, body, head);
        return HttpMethods.IsHead(http.Request.Method)
            ? Task.CompletedTask
            : http.Response.BodyWriter.WriteAsync(body).AsTask();
    }

    private static async Task SendLongAsync(HttpContext http, ReadOnlyMemory<byte> body, Action<HttpResponse> head)
    {
        var room = http.RequestServices.GetRequiredService<BodyRoom>();
        var party = room.TryTake(http, null, body.Length);
        if (party is null && IsRead(http.Request.Method))
        {
            await BodyRoom.Full.ExecuteAsync(http);
            return;
        }
        try
        {
            Begin(http, body, head);
            if (!HttpMethods.IsHead(http.Request.Method))
                await WriteAsync(http, body);
        }
        finally
        {
            if (party is not null)
                room.Free(party, body.Length);
        }
    }

    /// <summary>The answer to anything else tells of what is done already, so it is sent all the same.</summary>
    private static bool IsRead(string method) => HttpMethods.IsGet(method) || HttpMethods.IsHead(method);

    private static void Begin(HttpContext http, ReadOnlyMemory<byte> body, Action<HttpResponse> head)
    {
        head(http.Response);
        http.Response.ContentLength = body.Length;
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

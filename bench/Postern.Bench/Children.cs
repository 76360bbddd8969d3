using System.Diagnostics.Metrics;
using System.Runtime.InteropServices;
using Postern.Hosting;

namespace Postern.Bench;

internal static class Children
{
    /// <summary>
    /// The server as it is, with its own counts listened to: at its end it says how many commands a batch held, and at
    /// SIGWINCH how many round trips to PostgreSQL there were. At SIGCONT it collects its garbage.
    /// </summary>
    public static async Task<int> ServeAsync(string[] args)
    {
        long commands = 0,
            batches = 0,
            trips = 0;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name is "postern.store.batch.size" or "db.client.operation.duration")
                l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<int>(
            (_, size, _, _) =>
            {
                Interlocked.Add(ref commands, size);
                Interlocked.Increment(ref batches);
            }
        );
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => Interlocked.Increment(ref trips));
        listener.Start();
        using var asked = PosixSignalRegistration.Create(
            PosixSignal.SIGWINCH,
            _ => Console.WriteLine($"round trips  {Interlocked.Read(ref trips)}")
        );
        using var collected = PosixSignalRegistration.Create(
            PosixSignal.SIGCONT,
            _ =>
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                Console.WriteLine("collected");
            }
        );
        var code = await ServeCommand.RunAsync(
            ServeOptions.From(args[0], "http://127.0.0.1:0", args.ElementAtOrDefault(1), true),
            CancellationToken.None
        );
        Console.WriteLine($"batch size  {(batches == 0 ? 0 : (double)commands / batches):0.0}");
        return code;
    }

    /// <summary>The limit: the same bytes from a bare endpoint of the same web server.</summary>
    public static async Task<int> BareAsync(string file)
    {
        var bytes = await File.ReadAllBytesAsync(file);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(k => k.AddServerHeader = false);
        await using var app = builder.Build();
        app.MapGet(
            "/bytes",
            async http =>
            {
                http.Response.ContentType = "application/json; charset=utf-8";
                http.Response.ContentLength = bytes.Length;
                await http.Response.BodyWriter.WriteAsync(bytes);
            }
        );
        // A body read and an answer: what a POST costs before anything is done with it.
        app.MapPost(
            "/post",
            async http =>
            {
                while (true)
                {
                    var read = await http.Request.BodyReader.ReadAsync();
                    http.Request.BodyReader.AdvanceTo(read.Buffer.End);
                    if (read.IsCompleted)
                        break;
                }
                http.Response.ContentLength = 12;
                await http.Response.BodyWriter.WriteAsync("{\"ok\":true }"u8.ToArray());
            }
        );
        // An event stream that says nothing: what an open response costs by itself.
        app.MapGet(
            "/idle",
            async http =>
            {
                http.Response.ContentType = "text/event-stream";
                await http.Response.Body.FlushAsync(http.RequestAborted);
                var gone = new TaskCompletionSource();
                await using var registration = http.RequestAborted.Register(gone.SetResult);
                await gone.Task;
            }
        );
        await app.StartAsync();
        Console.WriteLine("listening on " + app.Urls.First());
        await app.WaitForShutdownAsync();
        return 0;
    }
}

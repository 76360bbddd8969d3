using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Postern.Bench;

/// <summary>One run of wrk: a bounded load from a second process on loopback.</summary>
internal sealed record Wrk(double PerSecond, double P50Milliseconds, double P99Milliseconds, long Failed)
{
    public static async Task<Wrk> RunAsync(
        string url,
        int seconds,
        int connections,
        string? key = null,
        string? script = null
    )
    {
        var start = new ProcessStartInfo("wrk") { RedirectStandardOutput = true };
        foreach (var arg in (string[])["-t1", $"-c{connections}", $"-d{seconds}", "--latency"])
            start.ArgumentList.Add(arg);
        if (key is not null)
            start.ArgumentList.Add("-HAuthorization: Bearer " + key);
        if (script is not null)
        {
            start.ArgumentList.Add("-s");
            start.ArgumentList.Add(script);
        }
        start.ArgumentList.Add(url);
        using var process = Process.Start(start)!;
        var text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        var rate = Regex.Match(text, @"Requests/sec:\s+([\d.]+)");
        var failed = Regex.Match(text, @"Non-2xx or 3xx responses: (\d+)");
        return new Wrk(
            Number(rate),
            Milliseconds(text, 50),
            Milliseconds(text, 99),
            failed.Success ? (long)Number(failed) : 0
        );
    }

    private static double Milliseconds(string text, int percent)
    {
        var found = Regex.Match(text, percent + @"%\s+([\d.]+)(us|ms|s)");
        return Number(found)
            * found.Groups[2].Value switch
            {
                "us" => 0.001,
                "s" => 1000,
                _ => 1,
            };
    }

    /// <summary>The script of a POST with a body of so many letters.</summary>
    public static string Post(string folder, int letters)
    {
        var file = Path.Combine(folder, "post.lua");
        File.WriteAllText(
            file,
            $"wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", {letters})\nwrk.headers[\"Content-Type\"] = \"text"
                + "/plain\"\n"
        );
        return file;
    }

    private static double Number(Match match) => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
}

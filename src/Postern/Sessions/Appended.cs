using Postern.Http;

namespace Postern.Sessions;

internal sealed record Appended(
    [Member("True.")] bool Ok,
    [Member("The record's number in the channel, from 0.")] long Seq,
    [Member("False: no run will see the record. Left out otherwise.", MayBeAbsent = true)] bool? RunEnsured
)
{
    /// <summary>Written by hand, because this route is used most.</summary>
    public static IResult Answer(AppendOutcome.Appended done, bool showsRun) =>
        Reply.Bytes(
            200,
            System.Text.Encoding.ASCII.GetBytes(
                showsRun && !done.RunEnsured
                    ? $"{{\"ok\":true,\"seq\":{done.Start},\"runEnsured\":false}}"
                    : $"{{\"ok\":true,\"seq\":{done.Start}}}"
            )
        );
}

using Microsoft.AspNetCore.Http.Features;

namespace Postern.Http;

/// <summary>
/// The server's own way of answering, for requests that came by no connection of its own: what a relay hands on goes
/// through the same gate and the same handlers. It is there once the server has started.
/// </summary>
internal sealed class RequestPipeline
{
    private readonly TaskCompletionSource<Func<IFeatureCollection, Task>> _begun = new(
        TaskCreationOptions.RunContinuationsAsynchronously
    );

    public void Begin(Func<IFeatureCollection, Task> answer) => _begun.TrySetResult(answer);

    /// <summary>Answers a request into the features that it is made of.</summary>
    public async Task AnswerAsync(IFeatureCollection request, CancellationToken cancel)
    {
        var answer = await _begun.Task.WaitAsync(cancel);
        await answer(request);
    }
}

using Microsoft.AspNetCore.Http.Features;

namespace Postern.Http;

/// <summary>
/// The server's own request pipeline, for requests without a connection: a relayed request goes through the same gate
/// and handlers. It exists once the server has started.
/// </summary>
internal sealed class RequestPipeline
{
    private readonly TaskCompletionSource<Func<IFeatureCollection, Task>> _begun = new(
        TaskCreationOptions.RunContinuationsAsynchronously
    );

    public void Begin(Func<IFeatureCollection, Task> answer) => _begun.TrySetResult(answer);

    /// <summary>Answers a request that is given by its features.</summary>
    public async Task AnswerAsync(IFeatureCollection request, CancellationToken cancel)
    {
        var answer = await _begun.Task.WaitAsync(cancel);
        await answer(request);
    }
}

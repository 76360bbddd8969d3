using System.Buffers.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Postern.Approvals;
using Postern.Relay.Plane;
using Postern.Relay.Protocol;

namespace Postern.Support;

/// <summary>Makes people's answers as a relay hands them over, without a relay.</summary>
internal static class SealedAnswers
{
    private const string Plane = "pln_tests";

    /// <summary>The path and the body of an answer that approves a question.</summary>
    public static async Task<(string Path, object Body)> ApproveAsync(TestServer server, string id)
    {
        var services = server.App.Services;
        var project = await server.ProjectAsync();
        var approval = (await services.GetRequiredService<ApprovalStore>().FindAsync(project, id))!;
        await services.GetRequiredService<PageStore>().AddAsync(Plane, [approval]);
        var link = services.GetRequiredService<PageTexts>().LinkOf(Plane, project, id);
        var nonce = Person.NewNonce();
        var said = Person.Said(approval.PayloadHash, "approved", nonce);
        var json = JsonSerializer.SerializeToUtf8Bytes(said, ShownQuestion.Json);
        var text = Base64Url.EncodeToString(PageSeal.Seal(link, PageSeal.Answer, nonce, json));
        return ($"/relay/v1/answers/{Plane}/{link.Page}", new { nonce, @sealed = text });
    }
}

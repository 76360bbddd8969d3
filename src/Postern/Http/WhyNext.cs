namespace Postern.Http;

internal sealed record WhyNext(
    [Word("What happens unless something else does.", WhyNext.Try, WhyNext.End, WhyNext.Expire)] string What,
    [At("When.")] string At
)
{
    /// <summary>It, or its dispatch, is tried again.</summary>
    public const string Try = "try";

    /// <summary>It ends: as timed out or given up or, when it is idle, as succeeded.</summary>
    public const string End = "end";

    /// <summary>The question expires.</summary>
    public const string Expire = "expire";
}

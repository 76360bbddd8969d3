using System.Security.Cryptography;
using System.Text;

namespace Postern.Approvals;

/// <summary>
/// The page's style, which is part of it, and the policy that allows only this style, no script, and no frame around
/// it.
/// </summary>
internal static class PageStyle
{
    public const int MaxComment = 4000;

    public const string Css = """
        :root{color-scheme:light dark;--ink:#1a1d21;--paper:#fff;--soft:#f2f4f6;--line:#6b7280;--yes:#11632f;
          --no:#a11616;--focus:#0b57d0}
        @media (prefers-color-scheme:dark){:root{--ink:#eceff3;--paper:#15181c;--soft:#23282e;--line:#8b95a3;
          --yes:#146c36;--no:#b3261e;--focus:#8ab4f8}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.5 system-ui,sans-serif}
        main{max-width:42rem;margin:0 auto;padding:1.25rem}
        h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0 1rem;overflow-wrap:anywhere}
        h2{font-size:1.0625rem;margin:1.25rem 0 .5rem}
        .who,.fine{font-size:.9375rem;margin:0}
        .fine{margin-top:1rem}
        .text{white-space:pre-wrap;overflow-wrap:anywhere}
        pre{margin:0;padding:.75rem;max-height:24rem;overflow:auto;background:var(--soft);border-radius:.5rem;
          font-size:.9375rem;white-space:pre-wrap;overflow-wrap:anywhere}
        form{margin-top:1.5rem}
        label{display:block;font-weight:600;margin-bottom:.375rem}
        select{margin-bottom:1rem;min-height:3rem}
        textarea,select{width:100%;font:inherit;padding:.5rem;border:1px solid var(--line);border-radius:.5rem;
          background:var(--paper);color:inherit}
        .buttons{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1rem}
        .buttons button{flex:1 1 9rem;min-height:3rem;font:inherit;font-weight:600;border:1px solid var(--line);
          border-radius:.5rem;background:var(--soft);color:inherit;cursor:pointer}
        @media (max-width:30rem){.buttons button{flex-basis:100%}}
        .buttons .yes{background:var(--yes);border-color:var(--yes);color:#fff}
        .buttons .no{background:var(--no);border-color:var(--no);color:#fff}
        :focus-visible{outline:3px solid var(--focus);outline-offset:2px}
        .outcome,.note{padding:.75rem;border-left:.375rem solid var(--line);background:var(--soft);font-weight:600}
        .outcome.approved{border-color:var(--yes)}
        .outcome.rejected,.outcome.expired,.note{border-color:var(--no)}
        blockquote{margin:1rem 0;padding:0 0 0 .75rem;border-left:3px solid var(--line)}
        """;

    public static readonly string Policy =
        "default-src 'none'; style-src "
        + $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Css)))}'; form-action "
        + "'self'; base-uri 'none'; frame-ancestors 'none'";
}

"""Assignment descriptions: Markdown to HTML without scripts, styles, forms or foreign pictures."""

from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_PARSER: Final = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])

_TAGS: Final = {
    *("a", "p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote"),
    *("pre", "code", "em", "strong", "s", "table", "thead", "tbody", "tr", "th", "td"),
}


def render(text: str, *, title: str = "") -> Markup:
    """Return the HTML of a Markdown text; what is not on the list of tags is dropped.

    Headings go one level down, for the page has its own first one; a first heading that repeats
    `title` is left out. Pictures are left out too: the pages load nothing from other hosts.
    Course staff write these texts, but the folder of a course can come from anywhere.

    >>> str(render("# A\\n**b** <script>c</script>"))
    '<h2>A</h2>\\n<p><strong>b</strong> &lt;script&gt;c&lt;/script&gt;</p>\\n'
    """
    tokens = _PARSER.parse(text)
    if _starts_with_heading(tokens, title):
        tokens = tokens[3:]
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    clean = nh3.clean(
        _PARSER.renderer.render(tokens, _PARSER.options, {}),
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    )
    return Markup(clean)  # noqa: S704 -- nh3 has just cleaned it


def _starts_with_heading(tokens: list[Token], title: str) -> bool:
    return (
        len(tokens) >= 3
        and tokens[0].type == "heading_open"
        and tokens[1].content.strip().casefold() == title.strip().casefold()
    )

"""Assignment descriptions: Markdown to HTML without scripts, styles, forms or foreign pictures."""

from collections.abc import Iterator
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from mdit_py_plugins.dollarmath import dollarmath_plugin

from leaderboard.assignments import formulas

_PARSER: Final = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    .use(dollarmath_plugin, allow_space=False, allow_digits=False, renderer=formulas.set_formula)
)

_TAGS: Final = {
    *("a", "p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote"),
    *("img", "pre", "code", "em", "strong", "s", "table", "thead", "tbody", "tr", "th", "td"),
    *formulas.TAGS,
}
_ATTRIBUTES: Final = {
    **dict.fromkeys(formulas.TAGS, formulas.ATTRIBUTES),
    "a": {"href"},
    "ol": {"start"},
    "img": {"src", "alt"},
}


def pictures(text: str) -> tuple[str, ...]:
    """The targets of a text's pictures, in its order.

    >>> pictures("![a](pictures/a.png) and ![b][1]\\n\\n[1]: b.png")
    ('pictures/a.png', 'b.png')
    """
    return tuple(str(each.attrs["src"]) for each in _pictures_of(_PARSER.parse(text)))


def render(text: str, *, title: str = "", picture_url: str = "") -> Markup:
    """Return the HTML of a Markdown text; what is not on the list of tags is dropped.

    Headings go one level down, for the page has its own first one; a first heading that repeats
    `title` is left out. Pictures of the folder `pictures/` are shown from below `picture_url` where
    that is given; of all others the words are: pages load nothing from other hosts. LaTeX between
    dollar signs, or between two of them in lines of its own, is set as a formula. The teaching team
    writes these texts, but the folder of a course can come from anywhere.

    >>> str(render("# A\\n**b** <script>c</script>"))
    '<h2>A</h2>\\n<p><strong>b</strong> &lt;script&gt;c&lt;/script&gt;</p>\\n'
    """
    tokens = _PARSER.parse(text)
    if _starts_with_heading(tokens, title):
        tokens = tokens[3:]
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    for picture in _pictures_of(tokens):
        folder, _, name = str(picture.attrs["src"]).partition("/")
        if picture_url and folder == "pictures" and "/" not in name:
            picture.attrs["src"] = f"{picture_url}{name}"
        else:
            picture.type, picture.children = "text", None
    clean = nh3.clean(
        _PARSER.renderer.render(tokens, _PARSER.options, {}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=lambda tag, name, value: (
            None if (tag, name) == ("img", "src") and not _is_below(value, picture_url) else value
        ),
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    )
    return Markup(clean)  # noqa: S704 -- nh3 has just cleaned it


def _pictures_of(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        for each in token.children or ():
            if each.type == "image":
                yield each


def _is_below(address: str, folder: str) -> bool:
    return bool(folder) and address.startswith(folder)


def _starts_with_heading(tokens: list[Token], title: str) -> bool:
    return (
        len(tokens) >= 3
        and tokens[0].type == "heading_open"
        and tokens[1].content.strip().casefold() == title.strip().casefold()
    )

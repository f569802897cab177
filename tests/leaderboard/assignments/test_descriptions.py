"""Assignment descriptions come from files: whatever they hold, no script reaches a reader."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from leaderboard.assignments import formulas, markdown


class Seen(HTMLParser):
    """What a browser would act on; what is written as text is harmless."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name == "href"]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[click](javascript:alert(1))",
        "[click](  javascript:alert(1))",
        "[click](data:text/html;base64,PHNjcmlwdD4=)",
        "<img src=x onerror=alert(1)>",
        "![picture](https://elsewhere.example/pixel.png)",
        '<a href="https://a.example" onclick="alert(1)">a</a>',
        "<style>body{display:none}</style>",
        "<iframe src=https://a.example></iframe>",
        "<form action=https://a.example><input name=password></form>",
        "| a |\n|---|\n| <svg onload=alert(1)> |",
        r"$\href{javascript:alert(1)}{x}$",
        r"$\style{position:fixed}{x} \class{a}{b}$",
        r"$\text{<script>alert(1)</script><img src=x onerror=alert(1)>}$",
    ],
)
def test_nothing_that_runs_or_loads_is_let_through(text):
    seen = Seen()
    seen.feed(markdown.render(text))
    assert seen.tags <= {"p", "a", "table", "thead", "tbody", "tr", "th", "td"} | formulas.TAGS
    assert seen.attributes <= {"href", "rel"} | formulas.ATTRIBUTES
    assert all(address.startswith("https://") for address in seen.addresses)


def test_headings_tables_code_and_links_are_kept():
    html = markdown.render(
        "# Task\n\n## Data\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n`x` [l](https://a.example)\n"
    )
    assert "<h2>Task</h2>" in html
    assert "<h3>Data</h3>" in html
    assert "<td>1</td>" in html
    assert 'href="https://a.example" rel="noopener noreferrer"' in html


def test_a_first_heading_that_repeats_the_title_is_left_out():
    assert "Digits" not in markdown.render("# Digits\n\nText", title="Digits")


def test_formulas_are_set_in_a_line_and_in_lines_of_their_own():
    said = markdown.render("The loss $L = -\\log p_i$ is\n\n$$\n\\frac{1}{N}\\sum_i L_i\n$$\n")
    assert '<math display="inline"><mrow><mi>L</mi><mo>=</mo>' in said
    assert '<math display="block">' in said
    assert "<mfrac>" in said
    assert "<msub><mi>L</mi><mi>i</mi></msub>" in said


@pytest.mark.parametrize("latex", ["x^", "{" * 90 + "}" * 90, "x" * 2001])
def test_a_formula_that_cant_be_read_stays_as_it_was_written(latex):
    assert f"<code>{latex}</code>" in markdown.render(f"${latex}$")


def test_money_is_no_formula():
    assert (
        markdown.render("It costs $5, or $ 10 a year.") == "<p>It costs $5, or $ 10 a year.</p>\n"
    )

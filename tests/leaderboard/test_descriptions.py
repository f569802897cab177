"""Assignment descriptions come from files: whatever they hold, no script reaches a reader."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from leaderboard import markdown


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
    ],
)
def test_nothing_that_runs_or_loads_is_let_through(text):
    seen = Seen()
    seen.feed(markdown.render(text))
    assert seen.tags <= {"p", "a", "table", "thead", "tbody", "tr", "th", "td"}
    assert seen.attributes <= {"href", "rel"}
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

"""The pages of the cards, and the table in README.md: written by a command, held by a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reference.recipe import recipe
from reference.results import cards
from reference.results.card_page import overview, page, picture
from reference.results.cards import Card
from reference.results.collection import FoundRun, finished_runs, runs_of
from reference.results.compare import differences, lines
from reference.results.comparison_page import as_text
from reference.results.findings import listed, verdict
from reference.results.markdown import table

README = Path(__file__).parents[1] / "README.md"
START = "<!-- table of the cards, written by `reference card --make` -->"
END = "<!-- end of the table -->"


def kept() -> tuple[Card, ...]:
    """Every card, in the order of reports and names."""
    return tuple(
        sorted(
            (cards.read(name) for name in cards.names()),
            key=lambda card: (card.report, card.recipe),
        )
    )


def make(runs: Path, name: str | None = None) -> tuple[Path, ...]:
    """Make one card from run folders, or those of all recipes with finished runs; then the pages.

    Gives what was written.

    Raises:
        RunError: there are no such runs, or a run can't be read.
    """
    finished = finished_runs(runs)
    chosen = [name] if name else [each for each in recipe.names() if has_runs(each, finished)]
    written = [cards.write(cards.make(each, finished)) for each in chosen]
    return (*written, *write_pages())


def has_runs(name: str, runs: tuple[FoundRun, ...]) -> bool:
    """Whether any of the runs trained what the recipe, or one of its cases, trains."""
    known = recipe.load(name)
    return any(
        runs_of(each, runs)
        for data in dict.fromkeys((known.data, *known.others))
        for each in cards.settings_of(name, data)
    )


def write_pages(readme: Path = README) -> tuple[Path, ...]:
    """Write each card's page and plot, the page over all cards, the README's table; where."""
    from reference.results.plots import plot_card

    every = kept()
    pages = {cards.FOLDER / f"{card.recipe}.md": page(card) for card in every}
    pages[cards.FOLDER / "README.md"] = index(every)
    pages[readme] = with_table(readme.read_text(encoding="utf-8"), every)
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    pictures = {cards.FOLDER / f"{card.recipe}.svg": card for card in every if picture(card)}
    for old in set(cards.FOLDER.glob("*.svg")) - set(pictures):
        old.unlink()
    for path, card in pictures.items():
        plot_card(card, path)
    return (*pages, *pictures)


def with_table(text: str, every: Sequence[Card]) -> str:
    """The README with its table made of these cards.

    Raises:
        ValueError: it has lost the place of its table.
    """
    before, rest = text.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n\n{overview(every)}\n\n{END}{after}"


def index(every: Sequence[Card]) -> str:
    """The page over all cards: the overview, each table's verdict, the comparison, the list."""
    tables = [card for card in every if card.entries[0].case]
    judged = [card for card in tables if verdict(card)]
    rest = [_link(card) for card in tables if not verdict(card)]
    known = [recipe.load(name) for name in recipe.names()]
    parts = [
        "# What the baselines reached",
        "Written by `reference card --make` from run folders, by way of `cards/*.json`. Nothing "
        "here is written by hand.",
        overview(every),
        "## Tables of the reports",
        *(_finding(card) for card in judged),
        *([f"Tables of which no two lines can be compared yet: {listed(rest)}."] if rest else []),
        "## Report, as reported, corrected",
        as_text(lines(every, known), differences(every, known)),
        "## Every card",
        table(("row", "card", "images", "runs"), [_listed(card) for card in every]),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _finding(card: Card) -> str:
    text = f"{_link(card)} (row {card.row}, `reference sweep {card.recipe}`). {verdict(card)}"
    return "\n\n".join(filter(None, (text, picture(card))))


def _listed(card: Card) -> tuple[str, ...]:
    images = dict.fromkeys(entry.data["title"] for entry in card.entries)
    runs = sum(len(entry.runs) for entry in card.entries)
    return (card.row or "–", _link(card), "; ".join(images), str(runs))


def _link(card: Card) -> str:
    return f"[{card.title}]({card.recipe}.md)"

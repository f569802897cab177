"""What a card says of its settings, from runs that were really trained."""

from __future__ import annotations

import dataclasses

from reference.results import card_page, findings
from reference.results.cards import Card


def test_runs_that_collapsed_are_counted_and_in_no_mean(card: Card):
    first, second = card.entries
    guessed = [dataclasses.replace(run, macro_f1=0.02, test_accuracy=0.1) for run in second.runs]
    lost = dataclasses.replace(second, runs=(second.runs[0], guessed[1]))
    page = card_page.page(dataclasses.replace(card, entries=(first, lost)))

    assert "in no mean below: 1 of 0.02." in page
    assert "(n = 1); 1 of 2 did not train" in page
    assert "0.02 can't be judged" in page
    gone = dataclasses.replace(second, runs=guessed)
    assert "| –; 2 of 2 did not train |" in card_page.page(
        dataclasses.replace(card, entries=(first, gone))
    )


def test_runs_of_two_states_of_the_code_are_not_pooled(card: Card):
    first = card.entries[0]
    other = dataclasses.replace(first.runs[1], code="f" * 64)
    mixed = dataclasses.replace(first, runs=(first.runs[0], other))

    assert mixed.scores["test_accuracy"].n == 1
    assert first.scores["test_accuracy"].n == 2


def test_lines_that_gave_the_same_bits_are_one(card: Card):
    first, second = card.entries
    same = dataclasses.replace(first, case="plateau", reported={})

    page = card_page.page(dataclasses.replace(card, entries=(first, same, second)))

    assert "| 0.05 = plateau |" in page
    assert "The means of 2 settings" in page


def test_one_seed_on_a_small_set_says_only_that_a_system_trains(card: Card):
    small = {**card.entries[0].data, "name": "digits-small"}
    tried = dataclasses.replace(card.entries[0], runs=card.entries[0].runs[:1], data=small)
    page = card_page.page(dataclasses.replace(card, entries=(tried,)))

    assert "## Does it train?" in page
    assert page.count("| yes |") == 1
    assert f"{tried.runs[0].test_accuracy:.4f}".removeprefix("0") not in page


def test_a_corrected_table_says_what_validation_chose(card: Card):
    corrected = dataclasses.replace(card, variant="corrected")
    best = max(card.entries, key=lambda each: each.scores["validation_accuracy"].mean)

    assert f"Validation images choose {best.case} (" in card_page.page(corrected)
    assert "Validation images choose" not in card_page.page(card)


def test_figures_are_not_held_against_noise_on_other_images(card: Card):
    elsewhere = {**card.entries[0].data, "name": "other", "title": "Other images"}
    moved = [dataclasses.replace(each, data=elsewhere) for each in card.entries]
    both = dataclasses.replace(card, entries=(*moved, *card.entries))

    assert "The report's figures lie" in findings.verdict(card)
    assert "The report's figures" not in findings.verdict(both)


def test_card_says_whether_the_reports_order_comes_back(card: Card):
    def with_figures(figures: list[float]) -> str:
        entries = [
            dataclasses.replace(
                entry,
                case=f"line {n}",
                reported={"test_accuracy": figure},
                runs=[dataclasses.replace(run, train_loss=float(n)) for run in entry.runs],
            )
            for n, (entry, figure) in enumerate(zip([*card.entries] * 4, figures, strict=True))
        ]
        return card_page.page(dataclasses.replace(card, entries=tuple(entries)))

    high, low = (entry.scores["test_accuracy"].mean for entry in card.entries)
    assert "Their order comes back" in with_figures([high, low] * 4)
    assert "Their order does not come back" in with_figures([low, high] * 4)

"""What a calibration found, in sentences for a teacher and as a table for programs. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reference.calibration.findings import Findings, Neighbours
from reference.calibration.measuring import Baseline
from reference.calibration.proposal import Proposal
from reference.results.markdown import table
from reference.results.spread import share, summarise

LEFT_OUT = {
    "time": "would not fit into the minutes given",
    "budget": "takes longer than students are told to train",
}


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """All of it: what was trained, what it says, and the proposal or why there is none.

    `budget_minutes`: what the assignment tells students to train at most; 0: nothing.
    """

    slug: str
    metric: str
    classes: tuple[str, ...]
    test_images: int
    private_images: int
    budget_minutes: float
    baselines: tuple[Baseline, ...]
    left_out: Mapping[str, str]
    ran_out: bool
    findings: Findings
    proposal: Proposal | None
    why_none: str
    grading: str


def as_text(found: Calibration) -> str:
    """The page, in Markdown."""
    parts = [
        f"# Calibration of {found.slug}",
        f"{found.metric} of the baselines, the worst first: mean ± standard deviation over seeds "
        "that vary initialisation, order and validation images, with the mean's 95% interval. "
        "No picture was mirrored, since nothing is known of what they show.",
        _baselines(found.baselines),
        *_left_out(found),
        "## What the test set tells apart",
        *(f"- {neighbours_told(each)}" for each in found.findings.neighbours),
        "The chance is that of the exact McNemar test at 5% on two single runs (Duffy 1984), "
        "which is how the board compares two submissions.",
        "## Public and private",
        _ranking(found.findings),
        "## Labels and ceiling",
        _ceiling(found),
        _labels(found),
        "## Proposal",
        *_proposal(found),
    ]
    return "\n\n".join(part for part in _joined(parts) if part) + "\n"


def as_table(found: Calibration) -> dict[str, Any]:
    """The same for `--json` and calibration.json."""
    content = dataclasses.asdict(dataclasses.replace(found, proposal=None))
    for each in content["baselines"]:
        del each["answers"]
    content["proposal"] = (
        None
        if found.proposal is None
        else {each.name: each.grade for each in found.proposal.anchors}
    )
    return content


def neighbours_told(pair: Neighbours) -> str:
    """Whether two neighbours are told apart, and what would do it."""
    chance = f"{pair.power:.0%}"
    if pair.told_apart:
        return (
            f"{pair.worse} and {pair.better} are told apart by these {pair.images:,} private "
            f"images (chance {chance})."
        )
    wanted = (
        f"{pair.needed:,} private images would do"
        if pair.needed is not None
        else "no number of images of this kind would do: they are about equally good"
    )
    return (
        f"{pair.worse} and {pair.better} can't be told apart with this test set ({pair.images:,} "
        f"private images, chance {chance}); {wanted}."
    )


def _joined(parts: Sequence[str]) -> list[str]:
    """List items follow one another without a blank line."""
    joined: list[str] = []
    for part in parts:
        if part.startswith("- ") and joined and joined[-1].startswith("- "):
            joined[-1] += f"\n{part}"
        else:
            joined.append(part)
    return joined


def _baselines(baselines: Sequence[Baseline]) -> str:
    rows = [
        (
            each.name,
            str(each.epochs),
            str(summarise(each.private)),
            share(each.public_mean),
            share(each.test_error),
            f"{each.minutes:.2f}",
            f"{each.threads} of {each.device}",
        )
        for each in baselines
    ]
    head = ("baseline", "epochs", "private", "public", "test error", "minutes", "threads")
    return table(head, rows)


def _left_out(found: Calibration) -> list[str]:
    told = [f"- {name} {LEFT_OUT[why]}." for name, why in found.left_out.items()]
    if found.ran_out:
        told.append("- The minutes ended before all seeds were trained; start it again to go on.")
    if found.budget_minutes:
        told.append(f"- Students are told to train {found.budget_minutes:g} minutes at most.")
    return told


def _ranking(findings: Findings) -> str:
    order = (
        "The public images rank the baselines as the private ones do"
        if findings.same_order
        else "The public images rank the baselines otherwise than the private ones do"
    )
    tau = "" if findings.tau is None else f" (Kendall's τ over all runs {findings.tau:.2f})"
    pairs = "; ".join(
        f"{each.worse} and {each.better} {each.public_agrees:.0%}" for each in findings.neighbours
    )
    return f"{order}{tau}. Pairs of single runs that both rank alike: {pairs}."


def _ceiling(found: Calibration) -> str:
    findings = found.findings
    return (
        f"The vote of {found.baselines[-1].name}'s runs gets {share(findings.together)} of all "
        f"{found.test_images:,} test images right, and {share(findings.nobody)} no run of any "
        f"baseline does: the ceiling seems to lie between {share(findings.together)} and "
        f"{share(1 - findings.nobody)}."
    )


def _labels(found: Calibration) -> str:
    findings = found.findings
    if not findings.doubtful:
        return "No label looks wrong (confident learning, with each run as one vote)."
    rows = [
        (each.id, found.classes[each.label], found.classes[each.rival], f"{each.rival_share:.0%}")
        for each in findings.doubtful
    ]
    told = (
        f"{findings.doubted} of {found.test_images:,} labels look wrong to most runs (confident "
        "learning, Northcutt, Jiang and Chuang 2021, with each run as one vote). Baselines err "
        "together on hard images: look at the pictures before any label is changed. The first:"
    )
    return f"{told}\n\n{table(('id', 'label', 'most say', 'runs'), rows)}"


def _proposal(found: Calibration) -> list[str]:
    if found.proposal is None:
        return [f"None: {found.why_none}"]
    scale = found.proposal.scale
    zones = "; ".join(f"{knot.name} {share(knot.zone)}" for knot in scale.knots)
    return [
        "Put `scale.json` beside assignment.toml, and this into it:",
        f"```toml\n{found.grading}```",
        f"Zones in which nobody loses points (seeds and test set together): {zones}. Other seeds "
        f"of these baselines move no grade by more than {scale.zone:.1f} points.",
    ]

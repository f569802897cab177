"""Calibrates an assignment folder: trains the ladder, measures it, and writes what follows.

`out` then holds runs/, cards/NAME.json, calibration.md, calibration.json and, where there is a
proposal, scale.json and grading.toml.
"""

from __future__ import annotations

import json
from pathlib import Path

from grader import Assignment
from grader.metric_list import METRICS
from grader.scoring.grading import Anchor, ScaleError
from grader.scoring.scale_file import FILE
from reference.calibration import ladder
from reference.calibration.findings import Scored, find
from reference.calibration.images import Material, read
from reference.calibration.measuring import Baseline, measure
from reference.calibration.proposal import Proposal, grading_toml, propose, scale_json
from reference.calibration.report import Calibration, as_table, as_text
from reference.calibration.training import Say, Trained, train_ladder
from reference.errors import Refused
from reference.results import cards

SETTINGS = "assignment.toml"
TABLE = "[grading]"


def calibrate(
    folder: Path, out: Path, *, minutes: float, say: Say = lambda line: None
) -> Calibration:
    """Train, measure and write.

    Raises:
        DataError: see `images.read`.
        Refused: see `training.train_ladder`.
    """
    material = read(folder)
    allowed = material.assignment.rules.pretrained != "forbidden"
    rungs = ladder.rungs(material.images, pretrained_allowed=allowed)
    trained = train_ladder(material, rungs, out, minutes=minutes, say=say)
    found = judge(material, trained)
    _write(material, trained, found, out)
    return found


def judge(material: Material, trained: Trained) -> Calibration:
    """What the trained baselines say of the assignment."""
    assignment, key = material.assignment, material.key
    metric, baselines = assignment.scoring.metric, measure(material, trained)
    proposal, why_none = _proposed(baselines, material)
    sign = 1 if METRICS[metric].higher_is_better else -1
    return Calibration(
        slug=assignment.slug,
        metric=metric,
        classes=assignment.classes,
        test_images=len(key.labels),
        private_images=int((~key.public).sum()),
        budget_minutes=assignment.grading.training_minutes,
        baselines=baselines,
        left_out=trained.plan.left_out,
        ran_out=trained.ran_out,
        findings=find(
            [
                Scored(
                    name=each.name,
                    public=tuple(sign * value for value in each.public),
                    private=tuple(sign * value for value in each.private),
                    answers=each.answers,
                )
                for each in baselines
            ],
            ids=key.ids,
            labels=key.labels,
            public=key.public,
            num_classes=key.num_classes,
        ),
        proposal=proposal,
        why_none=why_none,
        grading=grading_toml(proposal, assignment.grading) if proposal else "",
    )


def take(found: Calibration, folder: Path) -> None:
    """Put the proposal into the assignment folder.

    Raises:
        Refused: there is none, or the assignment has a scale or anchors already.
    """
    if found.proposal is None:
        raise Refused(f"there is no proposal to take: {found.why_none}")
    settings = folder / SETTINGS
    text = settings.read_text(encoding="utf-8-sig")
    if Assignment.open(folder).grading.anchors or (folder / FILE).exists():
        raise Refused(f"{folder} has anchors already; put the proposal in by hand if it is better")
    lines = text.rstrip().splitlines()
    header = next((n for n, line in enumerate(lines) if line.split("#")[0].strip() == TABLE), None)
    if header is None:
        lines += ["", *found.grading.splitlines()]
    else:
        # the other keys of the table stand there, and stay with their comments
        lines.insert(header + 1, found.grading.splitlines()[1])
    (folder / FILE).write_text(scale_json(found.proposal), encoding="utf-8")
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _proposed(baselines: tuple[Baseline, ...], material: Material) -> tuple[Proposal | None, str]:
    """The proposal of what keeps to the students' budget, or why there is none."""
    assignment = material.assignment
    most = assignment.grading.training_minutes
    anchors = [
        Anchor(name=each.name, grade=0.0, scores=each.private, test_error=each.test_error)
        for each in baselines
        if not most or each.minutes <= most
    ]
    metric = assignment.scoring.metric
    try:
        return propose(anchors, metric=metric, grading=assignment.grading), ""
    except ScaleError as error:
        return None, str(error)


def _write(material: Material, trained: Trained, found: Calibration, out: Path) -> None:
    known = {rung.name: rung for rung in ladder.LADDER}
    for each in found.baselines:
        recipe = ladder.recipe_of(known[each.name], material.images, epochs=each.epochs)
        card = cards.of_runs(recipe, trained.runs[each.name])
        cards.write(card, out / "cards" / f"{each.name}.json")
    table = json.dumps(as_table(found), indent=1, ensure_ascii=False)
    written = {"calibration.md": as_text(found), "calibration.json": f"{table}\n"}
    if found.proposal:
        written |= {FILE: scale_json(found.proposal), "grading.toml": found.grading}
    for name, text in written.items():
        (out / name).write_text(text, encoding="utf-8")

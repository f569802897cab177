"""`leaderboard verify` accuses nobody who is honest, and finds each change that was planted."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from needs import NEEDS_SANDBOX, runner_or_missing
from small_site import (
    CLASSES,
    Site,
    answers,
    bundle_zip,
    make_site,
    predictions_csv,
    write_assignment,
)
from tampering import differences, planted

import grader
from leaderboard.accounts import accounts
from leaderboard.agents import registry as agents
from leaderboard.cases import hearing, opening
from leaderboard.db import UtcDateTime, utcnow
from leaderboard.evaluations import evaluate, rescoring
from leaderboard.models import (
    AuditEvent,
    Cause,
    Enrolment,
    Evaluation,
    FormerAddress,
    FormerSlug,
    GradeLowering,
    GradeMark,
    GradingScale,
    Identity,
    LabelChoice,
    LabelDecision,
    PublishedGrade,
    QuotaEntry,
    Reason,
    Regrade,
    Role,
    SplitScore,
    Standing,
    Submission,
    User,
    guarding,
)
from leaderboard.models.grades import GradeState, MarkKind
from leaderboard.models.guarding import registry_of as guarded
from leaderboard.models.keeping import name_of, registry
from leaderboard.operations import verification
from leaderboard.operations.verifying import cases, columns, quota, rows, scores, standings
from leaderboard.queue.durable import Job
from leaderboard.submissions import accept, commitments
from leaderboard.teams import extensions, invitations, membership


def scores_csv(folder: Path, wrong: int) -> bytes:
    """Probabilities for each class; the first `wrong` ids are answered wrongly."""
    rows = []
    for number, (name, label) in enumerate(sorted(answers(folder).items())):
        row = [0.1] * len(CLASSES)
        row[(label + (number < wrong)) % len(CLASSES)] = 0.7
        rows.append(f"{name},{','.join(map(str, row))}")
    return "\n".join([f"id,{','.join(CLASSES)}", *rows, ""]).encode()


def as_tar(bundle: bytes) -> bytes:
    """The same bundle as a .tar.gz."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(bundle)) as source,
        tarfile.open(fileobj=out, mode="w:gz") as tar,
    ):
        for name in source.namelist():
            member = tarfile.TarInfo(name)
            member.size = source.getinfo(name).file_size
            tar.addfile(member, source.open(name))
    return out.getvalue()


LABELS_ONLY = "def predict(model, batch):\n    return model(batch).argmax(1)\n\n\n"
BROKEN = "raise RuntimeError('of no use')\n"


@pytest.fixture(scope="module")
def term(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with CSVs of both kinds, rejected ones, a rejudge, a rescore after other answers, and
    code where this machine can run it."""
    folder = tmp_path_factory.mktemp("term")
    site = make_site(folder, write_assignment(folder / "animals"))
    first = site.hand_in("ann", predictions_csv(site.folder, wrong=9))
    ids = [
        first,
        site.hand_in("ann", scores_csv(site.folder, 12)),
        site.hand_in("bob", predictions_csv(site.folder, wrong=20)),
        site.hand_in("bob", b"id,label\nimg000,9\n"),
    ]
    for public_id in ids[:3]:
        site.score(public_id)
    rejudge(site, first, Cause.RERUN)
    rejudge(site, ids[1], Cause.RESCORE)
    swap_answers(site)
    rescore(site)
    site.score(site.hand_in("cyd", scores_csv(site.folder, 3)))
    give_rights(site)
    ask_about(site, ids[2])
    grade(site)
    yield site
    site.state.close()


def give_rights(site: Site) -> None:
    """A row of each table that gives somebody more than others have, or less."""
    site.token("ann")
    with site.state.database.session() as session:
        agents.add(session, "gpu-1")
    site.person("eve")
    teacher = site.person("teacher", Role.INSTRUCTOR)
    with site.state.database.session() as session:
        course, ann = site.assignment(session).course, site.team(session, "ann")
        actor = session.get_one(User, teacher.id)
        more = extensions.More(late_days=2, reason=Reason.ILLNESS)
        extensions.grant(session, course, ann, more, actor=actor)
        eve = session.get_one(User, site.person("eve").id)
        membership.move(session, course, eve, ann, actor=actor)
        membership.move(session, course, eve, None, actor=actor)
        invitations.invite(
            session, course, actor=actor, role=Role.ASSISTANT, lasts=timedelta(days=1)
        )
        accept.pick_finals(
            session,
            site.assignment(session),
            ann,
            [session.scalars(sa.select(Submission.public_id).filter_by(team_id=ann.id)).all()[0]],
            actor=actor,
            now=utcnow(),
        )
        accounts.begin(
            session,
            session.get_one(User, teacher.id),
            user_agent="a browser",
            now=utcnow(),
            lifetime=timedelta(days=1),
        )
        wanted = commitments.Wanted(sha256="ab" * 32, size=9, filename="predictions.csv")
        commitments.commit(
            session,
            site.state,
            assignment=site.assignment(session),
            team=site.team(session, "eve"),
            user=session.get_one(User, site.person("eve").id),
            wanted=wanted,
            now=utcnow(),
        )
    with site.state.database.write() as session:
        session.add(
            Identity(user_id=teacher.id, issuer="https://id", subject="7", created_at=utcnow())
        )
        session.add(FormerSlug(course_id=site.course.id, assignment_id=1, slug="beasts"))
        session.add(FormerAddress(user_id=teacher.id, email="old@example.edu", left_at=utcnow()))


def grade(site: Site) -> None:
    """A row of each table that says what somebody is given."""
    now, user_id = utcnow(), site.person("ann").id
    of = {"assignment_id": 1}
    with site.state.database.write() as session:
        session.add(GradingScale(**of, number=1, content={}, made_at=now))
        session.add(
            GradeMark(
                course_id=site.course.id,
                user_id=user_id,
                kind=MarkKind.OVERRIDE,
                value=1.0,
                reason="heard",
                made_at=now,
            )
        )
        session.add(
            PublishedGrade(
                **of,
                user_id=user_id,
                state=next(iter(GradeState)),
                score=0.5,
                given=1.0,
                explanation=[],
                published_at=now,
            )
        )
        session.add(GradeLowering(**of, reason="error", asked_by=user_id, asked_at=now))
        session.add(
            LabelDecision(
                **of,
                image="img001",
                choice=LabelChoice.RELABEL,
                label_before="cat",
                label="dog",
                reason="error",
                decided_by=user_id,
                decided_at=now,
            )
        )
        session.add(Regrade(course_id=site.course.id, submission_id=1, due_at=now, opened_at=now))


def ask_about(site: Site, public_id: str) -> None:
    """A case of which the team was told."""
    with site.state.database.session() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        case = opening.open_by_hand(session, found, "The same file as another.", actor=None)
        until = utcnow() + timedelta(days=7)
        hearing.give_notice(session, case, "How was it made?", reply_until=until, actor=None)


def rejudge(site: Site, public_id: str, cause: Cause) -> None:
    with site.state.database.session() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        accept.rejudge(session, site.state, found, cause=cause, actor=None)
    site.score(public_id)


def swap_answers(site: Site) -> None:
    """Another label for two images, and the rows in another order."""
    lines = (site.folder / "answers.csv").read_text().splitlines()
    changed = [f"{line.split(',')[0]},{(int(line[-1]) + 1) % 4}" for line in lines[1:3]]
    (site.folder / "answers.csv").write_text("\n".join([lines[0], *changed, *lines[3:]]) + "\n")
    site.publish(site.folder)


def rescore(site: Site) -> None:
    with site.state.database.session() as session:
        begun = rescoring.start(session, site.state, site.assignment(session), actor=None).id
    rescoring.carry_on(site.state, begun)


def test_nobody_is_accused_of_what_is_honest(term: Site) -> None:
    with term.state.database.reading() as session:
        causes = set(session.scalars(sa.select(Evaluation.cause)))

    assert {Cause.HAND_IN, Cause.RERUN, Cause.RESCORE} <= causes
    assert differences(term) == ()


def test_scores_rescored_after_the_rows_were_sorted_are_right_image_by_image(
    tmp_path: Path,
) -> None:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"))
    public_id = site.hand_in("ann", predictions_csv(site.folder, wrong=9))
    site.score(public_id)
    lines = (site.folder / "answers.csv").read_text().splitlines()
    (site.folder / "answers.csv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    images = np.load(site.folder / "test" / "images.npy")
    np.save(site.folder / "test" / "images.npy", images[::-1])
    site.publish(site.folder)

    rescore(site)

    with site.state.database.reading() as session:
        rows = session.scalars(
            sa.select(SplitScore).options(sa.orm.undefer(SplitScore.right)).order_by(SplitScore.id)
        ).all()
        rights = [int(np.unpackbits(np.frombuffer(row.right, np.uint8)).sum()) for row in rows]
        assert rights == [round(row.accuracy * row.n) for row in rows]
    assert differences(site) == ()
    site.state.close()


@pytest.fixture(scope="module")
def runner() -> Iterator[grader.Runner]:
    made = runner_or_missing()
    yield made
    made.close()


@NEEDS_SANDBOX
@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("bundle.zip", bundle_zip()),
        ("labels.tar.gz", as_tar(bundle_zip(break_it=LABELS_ONLY))),
        ("broken.zip", bundle_zip(break_it=BROKEN)),
    ],
)
def test_no_bundle_is_accused(
    term: Site, runner: grader.Runner, filename: str, content: bytes
) -> None:
    public_id = term.hand_in("dan", content, filename=filename)
    worker = evaluate.Worker(incarnation="code", runner=runner)
    job = Job(submission_id=term.submission(public_id).id, number=1, attempt=0)
    evaluate.evaluate(term.state, worker, job)
    if term.submission(public_id).verdict == "OK":
        rejudge(term, public_id, Cause.RESCORE)

    assert term.submission(public_id).verdict in ("OK", "CE")
    assert differences(term) == ()


def test_a_result_made_with_earlier_answers_is_recorded_under_those(tmp_path: Path) -> None:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"))
    public_id = site.hand_in("ann", predictions_csv(site.folder, wrong=9))
    found = site.submission(public_id)
    job = Job(submission_id=found.id, number=1, attempt=0)
    worker = evaluate.Worker(incarnation="slow", runner=None)
    claimed = evaluate.claim(site.state, worker, job)
    assert claimed is not None
    outcome = evaluate.run(site.state, worker, job, claimed)
    swap_answers(site)

    evaluate._publish(site.state, worker, job, outcome)

    assert site.submission(public_id).verdict == "OK"
    assert differences(site) == ()
    site.state.close()


def row_of(site: Site, column: Any, **where: Any) -> Any:
    with site.state.database.reading() as session:
        return session.scalars(sa.select(column).filter_by(**where).order_by(column)).first()


@pytest.mark.parametrize("name", ["answers_sha256", "labels_sha256", "predictions_sha256"])
def test_a_planted_evaluation_is_found(term: Site, name: str) -> None:
    row = row_of(term, Evaluation.id, verdict="OK")
    with term.state.database.reading() as session:
        others = session.scalars(sa.select(getattr(Evaluation, name)).where(Evaluation.id != row))
        mine = getattr(session.get_one(Evaluation, row), name)
        other = next(each for each in others if each not in (None, mine))
    with planted(term, "evaluation", row, **{name: other}):
        assert differences(term)


def test_every_column_is_watched_or_says_why_not() -> None:
    assert list(columns.unlisted()) == []


GUARDED = [(model, name) for model in guarding.guarded_models() for name in guarded(model)]


@pytest.mark.parametrize(("model", "name"), GUARDED)
def test_a_planted_change_of_what_decides_is_found(term: Site, model: Any, name: str) -> None:
    row = row_of(term, model.id)
    with planted(term, name_of(model), row, **{name: another(term, model, name, row)}):
        assert f"{name_of(model)}:{row}" in subjects(term, rows.look)


STEPS: dict[str, Any] = {
    "case_entry": cases.look,
    "quota_entry": quota.look,
    "split_score": scores.look,
    "standing": standings.look,
    "submission": verification.look_at_receipts,
}
COMPUTED = [(table, name) for table, names in columns.COMPUTED.items() for name in names]


@pytest.mark.parametrize(("table", "name"), COMPUTED)
def test_a_planted_change_of_what_is_computed_is_found(term: Site, table: str, name: str) -> None:
    model = next(each for each in registry() if name_of(each) == table)
    row = row_of(term, model.id)
    with planted(term, table, row, **{name: another(term, model, name, row)}):
        assert subjects(term, STEPS[table])


def subjects(site: Site, look: Any) -> list[str]:
    """What one step of `leaderboard verify` finds something about; that it fails is one too."""
    with site.state.database.reading() as session:
        try:
            return [each.subject for each in look(session, site.state) if each is not None]
        except verification.MANGLED as error:
            return [repr(error)]


def another(site: Site, model: Any, name: str, row: int) -> Any:
    """Another value of a column, as SQLite holds it."""
    column = model.__table__.columns[name]
    with site.state.database.reading() as session:
        present = session.execute(sa.select(column).where(model.id == row)).scalar_one()
    if isinstance(column.type, sa.Boolean):
        return not present
    if isinstance(column.type, sa.Integer):
        return (present or 0) + 90
    if isinstance(column.type, UtcDateTime):
        return "2026-01-01 00:00:00.000000"
    if isinstance(column.type, sa.JSON):
        return '{"x": 1}' if isinstance(present, dict) else '["x"]'
    if isinstance(column.type, sa.LargeBinary):
        return b"\x00" * 3
    if isinstance(column.type, sa.Double):
        return (present or 0.0) + 0.01
    if name == "split":
        return "x"  # the other one's row is there already
    if isinstance(column.type, sa.Enum):
        return next(each for each in column.type.enums if each != present)
    return "x"


KEPT = [model for model in guarding.guarded_models() if registry()[model].backed_up]


@pytest.mark.parametrize("model", [*KEPT, SplitScore, QuotaEntry, Standing])
def test_a_row_that_is_gone_is_found(term: Site, model: Any) -> None:
    with planted(term, name_of(model), row_of(term, model.id)):
        assert differences(term)


@pytest.mark.parametrize("model", [Enrolment, Submission])
def test_a_row_that_was_added_is_found(term: Site, model: Any) -> None:
    row = row_of(term, model.id)
    with planted(term, name_of(model), row, id=4711):
        assert differences(term)


def test_a_time_that_the_receipt_does_not_tell_is_found(term: Site) -> None:
    row = row_of(term, Submission.id)
    with planted(term, "submission", row, upload_started_at="2026-01-01 00:00:00.000000"):
        reasons = {each.reason for each in differences(term)}
    assert "the receipt tells of another time" in reasons


def test_what_nobody_recorded_is_recorded_with_the_commit(term: Site) -> None:
    with term.state.database.write() as session:
        session.execute(
            sa.update(Submission).where(Submission.id == 1).values(claims={"accuracy": "0.5"})
        )
    with term.state.database.reading() as session:
        last = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert last is not None
        assert (last.action, next(iter(last.details["rows"].values())).keys()) == (
            "rows.change",
            {"1"},
        )
    assert differences(term) == ()

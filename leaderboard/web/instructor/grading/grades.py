"""Staff's pages of an assignment's grades: everybody's, one person's, and their publication."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.grades import lowering, marks, publishing
from leaderboard.messages import sentences
from leaderboard.models import Assignment, GradeState, MarkKind, Role, User
from leaderboard.teams import people
from leaderboard.views.gradebook import entries
from leaderboard.views.gradebook import scale as scales
from leaderboard.views.gradebook.entries import StaffGrade
from leaderboard.views.gradebook.scale import ScalePicture
from leaderboard.web import charts
from leaderboard.web.reading import whole

grade_pages = Blueprint("grades", __name__, url_prefix="/staff/c/<course>/a/<slug>/grades")

_PER_PAGE: Final = 50
_REFUSED = (BadRequest, NotAllowedNow)


@grade_pages.get("/")
@policy.sign_in_required
def page(course: str, slug: str) -> ResponseReturnValue:
    """Everybody's grade, to be searched by person, section and state."""
    access, found = _assignment(course, slug, Role.ASSISTANT)
    return _page(access, found)


@grade_pages.get("/scale")
@policy.sign_in_required
def scale(course: str, slug: str) -> ResponseReturnValue:
    """The references with their zones on one axis, the bands of grades, and the teams."""
    access, found = _assignment(course, slug, Role.ASSISTANT)
    shown = scales.picture(g.session, found)
    return render_template(
        "staff/scale.html", access=access, assignment=found, shown=shown, charts=_charts(shown)
    )


@grade_pages.get("/<int:user_id>")
@policy.sign_in_required
def person(course: str, slug: str, user_id: int) -> ResponseReturnValue:
    """One person's grade, and what can be decided about it."""
    access, found = _assignment(course, slug, Role.ASSISTANT)
    return _person_page(access, found, _student(access, user_id))


@grade_pages.post("/<int:user_id>")
@policy.sign_in_required
def decide(course: str, slug: str, user_id: int) -> ResponseReturnValue:
    """Decide about a person's grade, with a reason."""
    access, found = _assignment(course, slug, Role.INSTRUCTOR)
    student = _student(access, user_id)
    try:
        kind = _kind(request.form.get("kind", ""))
        marks.decide(
            g.session,
            found,
            student,
            kind,
            value=request.form.get("value", ""),
            reason=request.form.get("reason", ""),
            actor=access.user,
        )
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
        return _person_page(access, found, student), error.http_status
    flash(_("Decided; it is in the log, and the person is told when grades are published."), "good")
    return redirect(url_for("grades.person", course=course, slug=slug, user_id=user_id), code=303)


@grade_pages.post("/<int:user_id>/<int:mark_id>/revoke")
@policy.sign_in_required
def revoke(course: str, slug: str, user_id: int, mark_id: int) -> ResponseReturnValue:
    """End a decision."""
    access, found = _assignment(course, slug, Role.INSTRUCTOR)
    mark = marks.one(g.session, found, mark_id)
    if mark.user_id != user_id:
        raise NotFound
    marks.revoke(g.session, found, mark, access.user)
    flash(_("The decision is revoked."), "good")
    return redirect(url_for("grades.person", course=course, slug=slug, user_id=user_id), code=303)


@grade_pages.post("/publish")
@policy.sign_in_required
def publish(course: str, slug: str) -> ResponseReturnValue:
    """Publish what is ready; everybody whose grade is new is told once."""

    def do(access: policy.Access, found: Assignment) -> str:
        done = publishing.publish(g.session, found, actor=access.user)
        return _published(done)

    return _act(course, slug, do)


@grade_pages.post("/lowering")
@policy.sign_in_required
def lower(course: str, slug: str) -> ResponseReturnValue:
    """Ask that grades may fall, sign it as the second instructor, or take it back."""

    def do(access: policy.Access, found: Assignment) -> str:
        step = request.form.get("step", "ask")
        if step == "sign":
            done = lowering.sign(g.session, found, actor=access.user)
            return _published(done) if done else _("Signed: the present scale alone counts now.")
        if step == "withdraw":
            lowering.withdraw(g.session, found, actor=access.user)
            return _("It is taken back; nobody is lowered.")
        lowering.ask(g.session, found, request.form.get("reason", ""), actor=access.user)
        return _("Asked. Another instructor has to sign; alone, you can a day from now.")

    return _act(course, slug, do)


def _act(
    course: str, slug: str, do: Callable[[policy.Access, Assignment], str]
) -> ResponseReturnValue:
    access, found = _assignment(course, slug, Role.INSTRUCTOR)
    try:
        done = do(access, found)
    except _REFUSED as error:
        flash(sentences.in_words(error.detail), "bad")
        return _page(access, found), error.http_status
    flash(done, "good")
    return redirect(url_for("grades.page", course=course, slug=slug), code=303)


def _published(done: publishing.Publication) -> str:
    return ngettext(
        "The grade of %(num)s person is published, who was told.",
        "The grades of %(num)s people are published, who were told.",
        done.told,
    )


def _page(access: policy.Access, found: Assignment) -> str:
    grades = entries.staff_grades(g.session, found)
    query = {name: request.args.get(name, "").strip()[:100] for name in ("q", "state", "section")}
    theirs = [each for each in grades.items if _is_of(access, each.section)]
    shown = [each for each in theirs if _matches(each, query)]
    pages = max(1, -(-len(shown) // _PER_PAGE))
    number = min(max(1, request.args.get("page", 1, type=whole) or 1), pages)
    return render_template(
        "staff/grades.html",
        access=access,
        assignment=found,
        grades=grades,
        query=query,
        matching=len(shown),
        rows=shown[(number - 1) * _PER_PAGE : number * _PER_PAGE],
        page=number,
        pages=pages,
        sections=sorted({each.section for each in theirs if each.section}),
        states=list(GradeState),
    )


def _person_page(access: policy.Access, found: Assignment, student: User) -> str:
    grades = entries.staff_grades(g.session, found)
    return render_template(
        "staff/grade.html",
        access=access,
        assignment=found,
        grades=grades,
        row=next(each for each in grades.items if each.user_id == student.id),
        decisions=entries.decisions(g.session, found, student),
        kinds=list(MarkKind),
        form=request.form,
    )


def _charts(shown: ScalePicture) -> dict[str, Any]:
    """The pictures of the page; none without a scale."""
    if not shown.references:
        return {}
    ends = [end for each in shown.references for end in (each.low, each.high)]
    axis = charts.axis([*ends, *shown.teams])
    ordered = sorted(shown.references, key=lambda each: each.begins)
    return {
        "head": charts.axis_labels(axis, [each.begins for each in ordered]),
        "dots": {
            each.name: charts.dot(axis, each.mean, kind="baseline", interval=(each.low, each.high))
            for each in ordered
        },
        "bands": charts.bands(
            axis,
            [(each.begins, f"{each.grade:g}") for each in ordered],
            title=_("The grade from each score on"),
        ),
        "teams": charts.strip(
            axis, teams=shown.teams, baselines=(), mine=None, title=_("Private scores of the teams")
        ),
    }


def _matches(grade: StaffGrade, query: dict[str, str]) -> bool:
    told = f"{grade.name} {grade.email} {grade.number or ''} {grade.team or ''}".casefold()
    return (
        query["q"].casefold() in told
        and query["state"] in ("", grade.state.value)
        and query["section"] in ("", grade.section)
    )


def _kind(text: str) -> MarkKind:
    if text not in set(MarkKind):
        raise BadRequest(said("grade.kind", kinds=", ".join(MarkKind)))
    return MarkKind(text)


def _student(access: policy.Access, user_id: int) -> User:
    student = people.student(g.session, access.course, user_id)
    if student is None:
        raise NotFound
    person = people.one(g.session, access.course, user_id) if access.sections else None
    if person is not None and not _is_of(access, person.section):
        raise NotFound
    return student


def _is_of(access: policy.Access, section: str) -> bool:
    return not access.sections or section in access.sections


def _assignment(course: str, slug: str, at_least: Role) -> tuple[policy.Access, Assignment]:
    user = policy.require_user()
    return policy.assignment_access(g.session, user, course, slug, at_least=at_least)

"""The routes of grades: everybody's and their publication for staff, one's own for students."""

from __future__ import annotations

from flask import Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.accounts import courses
from leaderboard.api.blueprint import blueprint, body, items, text_of
from leaderboard.errors import BadRequest, NotFound
from leaderboard.gradebooks import filling
from leaderboard.grades import lowering, marks, publishing
from leaderboard.models import Assignment, MarkKind, Role, User
from leaderboard.submissions import uploads
from leaderboard.teams import people
from leaderboard.views.gradebook import entries, exports
from leaderboard.views.gradebook.exports import ExportFormat
from leaderboard.views.gradebook.joint import joint_grades
from leaderboard.views.shapes import as_json

_A = "/staff/courses/<course>/assignments/<slug>/grades"


@blueprint.get("/courses/<course>/assignments/<slug>/grade")
def own_grade(course: str, slug: str) -> ResponseReturnValue:
    """One's own grade once it is published, and the scale."""
    user = policy.require_scope("read")
    _, found = policy.assignment_access(g.session, user, course, slug)
    return jsonify(as_json(entries.own_grade(g.session, found, user)))


@blueprint.get(_A)
def list_grades(course: str, slug: str) -> ResponseReturnValue:
    """Everybody's grade with all that it was made of."""
    return _all(_assignment(course, slug, Role.ASSISTANT)[1])


@blueprint.get("/staff/courses/<course>/grades")
def list_joint_grades(course: str) -> ResponseReturnValue:
    """Everybody's grades in each assignment group of a course, and the joint one."""
    user = policy.require_scope("staff")
    access = policy.course_access(g.session, user, course, at_least=Role.ASSISTANT)
    return items(joint_grades(g.session, access.course))


@blueprint.post(f"{_A}/decisions")
def decide_grade(course: str, slug: str) -> ResponseReturnValue:
    """Decide about a student's grade, with a reason."""
    access, found = _assignment(course, slug, Role.INSTRUCTOR)
    fields = body()
    kind = text_of(fields, "kind")
    if kind not in set(MarkKind):
        raise BadRequest(said("grade.kind", kinds=", ".join(MarkKind)))
    made = marks.decide(
        g.session,
        found,
        _student(access, text_of(fields, "whom")),
        MarkKind(kind),
        value=text_of(fields, "value") if fields.get("value") is not None else "",
        reason=text_of(fields, "reason", default=""),
        actor=access.user,
    )
    return jsonify(as_json(entries.decision(made))), 201


@blueprint.delete(f"{_A}/decisions/<int:mark_id>")
def revoke_decision(course: str, slug: str, mark_id: int) -> ResponseReturnValue:
    """End a decision. Repeatable."""
    access, found = _assignment(course, slug, Role.INSTRUCTOR)
    mark = marks.one(g.session, found, mark_id)
    marks.revoke(g.session, found, mark, access.user)
    return jsonify(as_json(entries.decision(mark)))


@blueprint.post(f"{_A}/publish")
def publish_grades(course: str, slug: str) -> ResponseReturnValue:
    """Publish what is ready; everybody whose grade is new is told once."""
    access, found = _assignment(course, slug, Role.INSTRUCTOR)
    return jsonify(as_json(publishing.publish(g.session, found, actor=access.user)))


@blueprint.post(f"{_A}/lowering")
def ask_lowering(course: str, slug: str) -> ResponseReturnValue:
    """Ask that published grades may fall; `reason` says why."""
    access, found = _assignment(course, slug, Role.INSTRUCTOR)
    lowering.ask(g.session, found, text_of(body(), "reason", default=""), actor=access.user)
    return _all(found)


@blueprint.post(f"{_A}/lowering/sign")
def sign_lowering(course: str, slug: str) -> ResponseReturnValue:
    """Sign what another instructor asked."""
    access, found = _assignment(course, slug, Role.INSTRUCTOR)
    lowering.sign(g.session, found, actor=access.user)
    return _all(found)


@blueprint.delete(f"{_A}/lowering")
def withdraw_lowering(course: str, slug: str) -> ResponseReturnValue:
    """Take back what was asked."""
    access, found = _assignment(course, slug, Role.INSTRUCTOR)
    lowering.withdraw(g.session, found, actor=access.user)
    return _all(found)


@blueprint.get(f"{_A}/export")
def export_grades(course: str, slug: str) -> ResponseReturnValue:
    """The grades as a file for another program; `format` says which."""
    _, found = _assignment(course, slug, Role.ASSISTANT)
    kind = request.args.get("format", ExportFormat.CSV.value)
    if kind not in set(ExportFormat):
        raise BadRequest(said("gradebook.format", formats=", ".join(ExportFormat)))
    section = request.args.get("section") or None
    made = exports.export(g.session, found, ExportFormat(kind), section=section)
    return _file(made.content, made.filename, made.mimetype)


@blueprint.post(f"{_A}/fill")
def fill_gradebook(course: str, slug: str) -> ResponseReturnValue:
    """A gradebook of another platform with grades; with `dry_run` what would be written."""
    _, found = _assignment(course, slug, Role.ASSISTANT)
    content = uploads.small_file()
    if not content:
        raise BadRequest(said("gradebook.no_file"))
    made = filling.fill(
        g.session,
        found,
        content,
        column=request.form.get("column", ""),
        section=request.form.get("section") or None,
    )
    if request.form.get("dry_run") == "true":
        return jsonify(as_json(made.run))
    return _file(made.content, f"{found.slug}-grades.csv", "text/csv")


def _file(content: bytes, filename: str, mimetype: str) -> Response:
    reply = Response(content, mimetype=mimetype)
    reply.headers.set("Content-Disposition", "attachment", filename=filename)
    reply.headers["Cache-Control"] = "no-store"
    return reply


def _all(assignment: Assignment) -> Response:
    return jsonify(as_json(entries.staff_grades(g.session, assignment)))


def _student(access: policy.Access, email: str) -> User:
    found = people.student(g.session, access.course, courses.user_by_email(g.session, email).id)
    if found is None:
        raise NotFound(said("student.none", student=repr(email)))
    return found


def _assignment(course: str, slug: str, at_least: Role) -> tuple[policy.Access, Assignment]:
    user = policy.require_scope("staff")
    return policy.assignment_access(g.session, user, course, slug, at_least=at_least)

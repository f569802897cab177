"""The pages on which instructors make an assignment, or change a published one: drafts."""

from __future__ import annotations

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.assignments import markdown
from leaderboard.drafts import editing, keeping, making, settings_form
from leaderboard.drafts.making import Wanted
from leaderboard.errors import BadRequest, EmptyUpload, NotAllowedNow, NotFound
from leaderboard.messages import sentences
from leaderboard.messages.language import language
from leaderboard.models import AssignmentDraft, Role
from leaderboard.state import current_state
from leaderboard.submissions import uploads
from leaderboard.views.staff import draft as views
from leaderboard.web import pictures

draft_pages = Blueprint("drafts", __name__, url_prefix="/staff/c/<course>")


@draft_pages.get("/drafts/")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """Begin a new assignment from an upload, or go on with a draft."""
    return _begin(_instructor(course))


@draft_pages.post("/drafts/")
@policy.sign_in_required
def make(course: str) -> ResponseReturnValue:
    """Make a draft of an uploaded archive."""
    access = _instructor(course)
    state = current_state()
    try:
        upload = uploads.receive_up_to(state.settings.max_upload_mb << 20)
        made = making.make(
            g.session, state, access.course, upload.path, _wanted(), actor=access.user
        )
    except (BadRequest, EmptyUpload) as error:
        return _begin(access, sentences.in_words(error.detail)), error.http_status
    return redirect(url_for("drafts.one", course=course, draft_id=made.id), code=303)


@draft_pages.post("/a/<slug>/edit")
@policy.sign_in_required
def edit(course: str, slug: str) -> ResponseReturnValue:
    """Begin to change a published assignment."""
    user = policy.require_user()
    _access, found = policy.assignment_access(
        g.session, user, course, slug, at_least=Role.INSTRUCTOR
    )
    made = keeping.of_published(g.session, found, actor=user)
    return redirect(url_for("drafts.one", course=course, draft_id=made.id), code=303)


@draft_pages.get("/drafts/<int:draft_id>/")
@policy.sign_in_required
def one(course: str, draft_id: int) -> ResponseReturnValue:
    """A draft with its pictures, counts, settings and description, and what it would change."""
    return _page(*_draft(course, draft_id))


@draft_pages.get("/drafts/<int:draft_id>/pictures")
@policy.sign_in_required
def sheet(course: str, draft_id: int) -> ResponseReturnValue:
    """The draft's pictures on one sheet; they are of the hidden test set."""
    _access, draft = _draft(course, draft_id)
    found = views.pictures_of(current_state(), draft)
    if found is None:
        raise NotFound
    response = Response(found.sheet, mimetype=found.mimetype)
    response.headers["Cache-Control"] = "no-store"
    return response


@draft_pages.post("/drafts/<int:draft_id>/")
@policy.sign_in_required
def save(course: str, draft_id: int) -> ResponseReturnValue:
    """Keep settings and description as they were sent."""
    access, draft = _draft(course, draft_id)
    form = request.form
    try:
        editing.save(
            g.session,
            current_state(),
            draft,
            settings_toml=settings_form.text_of(form),
            readme=form.get("readme", "").replace("\r\n", "\n"),
            seen=form.get("edition", ""),
            actor=access.user,
        )
    except (BadRequest, NotAllowedNow) as error:
        return _page(access, draft, sentences.in_words(error.detail)), error.http_status
    flash(_("The draft is saved."), "good")
    return redirect(url_for("drafts.one", course=course, draft_id=draft_id), code=303)


@draft_pages.post("/drafts/<int:draft_id>/publish")
@policy.sign_in_required
def publish(course: str, draft_id: int) -> ResponseReturnValue:
    """Publish the draft, which goes."""
    access, draft = _draft(course, draft_id)
    seen = request.form.get("edition", "")
    try:
        made = keeping.publish(g.session, current_state(), draft, seen=seen, actor=access.user)
    except (BadRequest, NotAllowedNow) as error:
        return _page(access, draft, sentences.in_words(error.detail)), error.http_status
    flash(_("%(title)s is published.", title=made.title), "good")
    return redirect(url_for("published.page", course=course, slug=made.slug), code=303)


@draft_pages.post("/drafts/<int:draft_id>/drop")
@policy.sign_in_required
def drop(course: str, draft_id: int) -> ResponseReturnValue:
    """Forget the draft."""
    access, draft = _draft(course, draft_id)
    keeping.drop(g.session, draft, actor=access.user)
    flash(_("The draft is gone."), "good")
    return redirect(url_for("drafts.page", course=course), code=303)


def _instructor(course: str) -> policy.Access:
    user = policy.require_user()
    return policy.course_access(g.session, user, course, at_least=Role.INSTRUCTOR)


def _draft(course: str, draft_id: int) -> tuple[policy.Access, AssignmentDraft]:
    access = _instructor(course)
    return access, keeping.one(g.session, access.course, draft_id)


def _wanted() -> Wanted:
    form = request.form
    share = form.get("share", "20").strip()
    if not (share.isascii() and share.isdigit() and 1 <= int(share) <= 90):
        raise BadRequest(said("draft.share"))
    return Wanted(
        slug=form.get("slug", "").strip(),
        title=form.get("title", "").strip(),
        test_fraction=int(share) / 100,
        keep_together="together" in form,
    )


def _begin(access: policy.Access, problem: str = "") -> str:
    state = current_state()
    drafts = [
        (each, state.catalog.load_version(each.folder_sha256).title)
        for each in keeping.of_course(g.session, access.course)
    ]
    return render_template(
        "staff/drafts.html",
        access=access,
        drafts=drafts,
        most_mb=state.settings.max_upload_mb,
        most_pictures=making.MOST_PICTURES,
        problem=problem,
        form=request.form if problem else {},
    )


def _page(access: policy.Access, draft: AssignmentDraft, problem: str = "") -> str:
    state = current_state()
    found, sample = views.drafted(g.session, state, draft), views.pictures_of(state, draft)
    url = url_for(
        "drafts.sheet", course=access.course.code, draft_id=draft.id, v=found.edition[:12]
    )
    names = [each.name for each in found.classes]
    sent = request.form if problem else {}
    readme = str(sent.get("readme", found.readme))
    return render_template(
        "staff/draft.html",
        access=access,
        draft=draft,
        found=found,
        strip=pictures.strip(sample, url, names, title=_("Images")) if sample else None,
        problem=problem,
        sent=sent,
        readme=readme,
        preview=markdown.render(readme, title=found.title),
        language=language(),
    )

"""The operations of grades by their path, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from leaderboard.api.operation import (
    COURSE,
    SLUG,
    SUBMISSION,
    A,
    body,
    operation,
    path,
    query,
    read,
    reply,
)
from leaderboard.api.schemas import TEXT, WHOLE, list_of, members, ref
from leaderboard.gradebooks import xlsx
from leaderboard.views.gradebook.exports import ExportFormat

_Json = dict[str, Any]
_BYTES: Final[_Json] = {"type": "string", "format": "binary"}
_FILES: Final = ("text/csv", "text/tab-separated-values", xlsx.MIME)
_GRADEBOOK: Final = members(
    ["file"],
    file={**_BYTES, "contentMediaType": "application/octet-stream"},
    column=TEXT,
    section=TEXT,
    dry_run={"enum": ["true", "false"]},
)
_PLACE: Final = [COURSE, SLUG]


def _lowering(name: str, summary: str, **more: Any) -> _Json:
    replies = {200: reply("The grades as they stand", ref("Grades"))}
    return operation("staff", name, summary, replies, 400, 409, **more)


def _thread(tag: str, name: str, summary: str, status: int, wanted: str) -> _Json:
    replies = {status: reply("The thread", ref("RegradeThread"))}
    return operation(tag, name, summary, replies, 400, 409, requestBody=body(f"Regrade{wanted}"))


OF_GRADES: Final[_Json] = {
    f"{A}/grade": {
        "parameters": _PLACE,
        "get": read("submissions", "get_own_grade", "One's own grade", ref("OwnGrade")),
    },
    "/submissions/{submission}/regrade": {
        "parameters": [SUBMISSION],
        "get": read(
            "submissions", "get_regrade", "A question about the grade", ref("RegradeThread")
        ),
        "post": _thread("submissions", "ask_regrade", "Ask about the grade, or go on", 201, "Text"),
    },
}

OF_STAFF_GRADES: Final[_Json] = {
    "/staff/courses/{course}/grades": {
        "parameters": [COURSE],
        "get": read(
            "staff",
            "list_joint_grades",
            "Everybody's grades in each assignment group, and the joint one",
            list_of(ref("JointGrades")),
        ),
    },
    "/staff/courses/{course}/regrades": {
        "parameters": [COURSE],
        "get": read(
            "staff",
            "list_regrades",
            "The course's questions about grades",
            list_of(ref("RegradeThread")),
        ),
    },
    "/staff/courses/{course}/regrades/{regrade_id}": {
        "parameters": [COURSE, path("regrade_id", WHOLE)],
        "post": _thread("staff", "answer_regrade", "Answer a question, or close it", 200, "Answer"),
    },
    "/staff/courses/{course}/regrades/{regrade_id}/assign": {
        "parameters": [COURSE, path("regrade_id", WHOLE)],
        "post": _thread("staff", "assign_regrade", "Say who answers, and until when", 200, "Owner"),
    },
    "/staff/courses/{course}/saved-replies": {
        "parameters": [COURSE],
        "get": read(
            "staff",
            "list_saved_replies",
            "The replies that staff keep",
            list_of(ref("ReplyToReuse")),
        ),
        "post": operation(
            "staff",
            "save_reply",
            "Keep a reply",
            {201: reply("It is kept", ref("ReplyToReuse"))},
            400,
            requestBody=body("WantedReply"),
        ),
    },
    "/staff/courses/{course}/saved-replies/{reply_id}": {
        "parameters": [COURSE, path("reply_id", WHOLE)],
        "delete": operation(
            "staff",
            "forget_reply",
            "Keep a reply no longer",
            {200: reply("Those that are left", list_of(ref("ReplyToReuse")))},
        ),
    },
    f"/staff{A}/grades": {
        "parameters": _PLACE,
        "get": read(
            "staff", "list_grades", "Everybody's grade with all it was made of", ref("Grades")
        ),
    },
    f"/staff{A}/grades/decisions": {
        "parameters": _PLACE,
        "post": operation(
            "staff",
            "decide_grade",
            "Decide about a student's grade, with a reason",
            {201: reply("It holds", ref("Decision"))},
            400,
            requestBody=body("GradeDecision"),
        ),
    },
    f"/staff{A}/grades/decisions/{{mark_id}}": {
        "parameters": [*_PLACE, path("mark_id", WHOLE)],
        "delete": operation(
            "staff",
            "revoke_decision",
            "End a decision about a grade",
            {200: reply("As it stood", ref("Decision"))},
        ),
    },
    f"/staff{A}/grades/publish": {
        "parameters": _PLACE,
        "post": operation(
            "staff",
            "publish_grades",
            "Publish the grades that are ready",
            {200: reply("What was done", ref("Publication"))},
            409,
        ),
    },
    f"/staff{A}/grades/export": {
        "parameters": _PLACE,
        "get": operation(
            "staff",
            "export_grades",
            "The grades as a file for another program",
            {200: reply("The file", _BYTES, *_FILES)},
            400,
            parameters=[
                query("format", {"enum": [each.value for each in ExportFormat]}),
                query("section", TEXT),
            ],
        ),
    },
    f"/staff{A}/grades/fill": {
        "parameters": _PLACE,
        "post": operation(
            "staff",
            "fill_gradebook",
            "Fill a gradebook that a platform exported; dry_run says what would be written",
            {
                200: {
                    "description": "The file with grades, or what would be written",
                    "content": {
                        "text/csv": {"schema": _BYTES},
                        "application/json": {"schema": ref("DryRun")},
                    },
                }
            },
            400,
            requestBody={
                "required": True,
                "content": {"multipart/form-data": {"schema": _GRADEBOOK}},
            },
        ),
    },
    f"/staff{A}/grades/lowering": {
        "parameters": _PLACE,
        "post": _lowering(
            "ask_lowering", "Ask that grades may fall", requestBody=body("GradeReason")
        ),
        "delete": _lowering("withdraw_lowering", "Take back that grades may fall"),
    },
    f"/staff{A}/grades/lowering/sign": {
        "parameters": _PLACE,
        "post": _lowering("sign_lowering", "Sign, as another instructor, that grades may fall"),
    },
}

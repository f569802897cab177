"""The operations of course staff by their path, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from leaderboard.api.grading.operations import OF_STAFF_GRADES
from leaderboard.api.operation import (
    CASE,
    COURSE,
    CURSOR,
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
from leaderboard.api.schemas import TEXT, WHOLE, list_of, ref
from leaderboard.views.staff import filters

_Json = dict[str, Any]


def _case_step(name: str, summary: str, status: int = 200, *, wanted: str = "CaseText") -> _Json:
    replies = {status: reply("As it stands", ref("StaffCase"))}
    return operation("staff", name, summary, replies, 400, 409, requestBody=body(wanted))


OF_STAFF: Final[_Json] = {
    f"/staff{A}/submissions": {
        "parameters": [COURSE, SLUG],
        "get": read(
            "staff",
            "list_all_submissions",
            "Every team's submissions with both scores",
            list_of(ref("StaffSubmission")),
            parameters=[CURSOR, *(query(name, TEXT) for name in filters.NAMES)],
        ),
    },
    "/staff/submissions/{submission}/rejudge": {
        "parameters": [SUBMISSION],
        "post": operation(
            "staff",
            "rejudge_submission",
            "Judge one submission again",
            {202: reply("It is queued", ref("StaffSubmission"))},
            *(400, 409),
            requestBody=body("Rejudge"),
        ),
    },
    f"/staff{A}/release": {
        "parameters": [COURSE, SLUG],
        "post": operation(
            "staff",
            "release_board",
            "Show the private board to students, or hide it again",
            {200: reply("Since when", ref("Released"))},
            400,
            requestBody=body("Release"),
        ),
    },
    f"/staff{A}/grades.csv": {
        "parameters": [COURSE, SLUG],
        "get": operation(
            "staff",
            "download_grades",
            "The grades as a CSV",
            {200: reply("The table", TEXT, "text/csv")},
        ),
    },
    "/staff/courses/{course}/cases": {
        "parameters": [COURSE],
        "get": read(
            "staff",
            "list_cases",
            "The course's cases, those to be decided first",
            list_of(ref("StaffCase")),
            parameters=[query("undecided", {"enum": ["true", "false"]})],
        ),
    },
    "/staff/submissions/{submission}/cases": {
        "parameters": [SUBMISSION],
        "post": _case_step("open_case", "Open a case about a submission", 201),
    },
    "/staff/courses/{course}/cases/{case_id}": {
        "parameters": [COURSE, CASE],
        "get": read("staff", "get_staff_case", "A case with its evidence", ref("StaffCase")),
    },
    "/staff/courses/{course}/cases/{case_id}/notice": {
        "parameters": [COURSE, CASE],
        "post": _case_step(
            "give_notice",
            "Tell the team, with a date until which it may reply",
            wanted="CaseNotice",
        ),
    },
    "/staff/courses/{course}/cases/{case_id}/close": {
        "parameters": [COURSE, CASE],
        "post": _case_step("close_case", "End an unfounded case"),
    },
    "/staff/courses/{course}/cases/{case_id}/void": {
        "parameters": [COURSE, CASE],
        "post": _case_step("void_submission", "Let the submission of a heard team count no more"),
    },
    "/staff/courses/{course}/cases/{case_id}/restore": {
        "parameters": [COURSE, CASE],
        "post": _case_step("restore_submission", "Let a voided submission count again"),
    },
    "/staff/courses/{course}/extensions": {
        "parameters": [COURSE],
        "get": read(
            "staff",
            "list_extensions",
            "Every extension of the course, newest first",
            list_of(ref("Extension")),
        ),
        "post": operation(
            "staff",
            "grant_extension",
            "Extend dates, late days or the daily limit of a person or team",
            {201: reply("It holds", ref("Extension"))},
            400,
            requestBody=body("WantedExtension"),
        ),
    },
    "/staff/courses/{course}/extensions/{extension_id}": {
        "parameters": [COURSE, path("extension_id", WHOLE)],
        "delete": operation(
            "staff",
            "revoke_extension",
            "End an extension",
            {200: reply("As it stands", ref("Extension"))},
        ),
    },
    **OF_STAFF_GRADES,
}

"""The operations of these routes by their path, for the OpenAPI document."""

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
    read,
    reply,
)
from leaderboard.api.schemas import WHOLE, list_of, ref

_Json = dict[str, Any]

OF_WORK: Final[_Json] = {
    "/staff/courses/{course}/overview": {
        "parameters": [COURSE],
        "get": read(
            "staff",
            "get_course_overview",
            "What needs a decision, how far each assignment is, what is due next",
            ref("Overview"),
        ),
    },
    "/staff/courses/{course}/jobs": {
        "parameters": [COURSE],
        "get": read("staff", "list_jobs", "What waits and runs, and the workers", ref("Jobs")),
    },
    "/staff/submissions/{submission}/first": {
        "parameters": [SUBMISSION],
        "post": operation(
            "staff",
            "put_submission_first",
            "Put what waits before everything else in its lane",
            {200: reply("As it stands", ref("StaffSubmission"))},
            409,
        ),
    },
    f"/staff{A}/missing": {
        "parameters": [COURSE, SLUG],
        "get": read(
            "staff",
            "list_missing_people",
            "Who has not handed in yet",
            list_of(ref("MissingPerson")),
        ),
        "post": operation(
            "staff",
            "remind_missing_people",
            "Remind them, once an hour at most",
            {200: reply("How many", ref("Reminded"))},
            409,
        ),
    },
    f"/staff{A}/rejudge": {
        "parameters": [COURSE, SLUG],
        "post": operation(
            "staff",
            "rejudge_submissions",
            "Judge several again",
            {202: reply("How many are queued", ref("Done"))},
            400,
            requestBody=body("JudgeSeveral"),
        ),
    },
    f"/staff{A}/cancel": {
        "parameters": [COURSE, SLUG],
        "post": operation(
            "staff",
            "cancel_submissions",
            "Withdraw those that wait or run",
            {200: reply("How many", ref("Done"))},
            400,
            requestBody=body("Picks"),
        ),
    },
    "/staff/submissions/{submission}/file": {
        "parameters": [SUBMISSION],
        "get": operation(
            "staff",
            "download_submission",
            "What was handed in, byte for byte",
            {
                200: reply(
                    "The file", {"type": "string", "format": "binary"}, "application/octet-stream"
                )
            },
            409,
        ),
    },
    "/staff/submissions/{submission}/notes": {
        "parameters": [SUBMISSION],
        "get": read(
            "staff", "list_notes", "The teaching team's notes, oldest first", list_of(ref("Note"))
        ),
        "post": operation(
            "staff",
            "write_note",
            "Write a note",
            {201: reply("It", ref("Note"))},
            400,
            requestBody=body("NoteText"),
        ),
    },
    f"/staff{A}/difficulty": {
        "parameters": [COURSE, SLUG],
        "get": read(
            "staff",
            "get_assignment_difficulty",
            "How scores lie, what is hard and confused, which labels look doubtful",
            ref("Difficulty"),
        ),
    },
    f"/staff{A}/labels": {
        "parameters": [COURSE, SLUG],
        "get": read(
            "staff",
            "list_label_decisions",
            "What is decided about labels of the hidden test set",
            ref("LabelWork"),
        ),
        "post": operation(
            "staff",
            "decide_label",
            "Decide one image's label, from the picture",
            {201: reply("All decisions", ref("LabelWork"))},
            400,
            409,
            requestBody=body("WantedLabel"),
        ),
    },
    f"/staff{A}/labels/moves": {
        "parameters": [COURSE, SLUG],
        "post": operation(
            "staff",
            "show_label_moves",
            "Who would move by the decisions that wait; that it was seen is noted",
            {200: reply("On either board", ref("LabelMoves"))},
            409,
        ),
    },
    f"/staff{A}/labels/{{decision_id}}/confirm": {
        "parameters": [COURSE, SLUG, path("decision_id", WHOLE)],
        "post": operation(
            "staff",
            "confirm_label",
            "Confirm another instructor's decision",
            {200: reply("All decisions", ref("LabelWork"))},
            409,
        ),
    },
    f"/staff{A}/labels/{{decision_id}}/drop": {
        "parameters": [COURSE, SLUG, path("decision_id", WHOLE)],
        "post": operation(
            "staff",
            "drop_label",
            "Take a decision back, with a reason",
            {200: reply("All decisions", ref("LabelWork"))},
            400,
            409,
            requestBody=body("LabelReason"),
        ),
    },
    f"/staff{A}/labels/publish": {
        "parameters": [COURSE, SLUG],
        "post": operation(
            "staff",
            "publish_labels",
            "Publish the corrected answers; everything is rescored, and who moves is told",
            {202: reply("All decisions", ref("LabelWork"))},
            400,
            409,
            requestBody=body("WantedEdition"),
        ),
    },
    f"/staff{A}/away": {
        "parameters": [COURSE, SLUG],
        "post": operation(
            "staff",
            "extend_for_all",
            "The server was away: extend the assignment for everybody, and tell them",
            {200: reply("How many teams", ref("Done"))},
            400,
            requestBody=body("Away"),
        ),
    },
}

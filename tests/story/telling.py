"""The story's first half: a course from nothing, and every operation of the API, by everybody."""

from __future__ import annotations

import re
import time
from typing import Any

from story import files
from story.site import LANGUAGES, Site

COURSE = "/courses/dl-1"
ANIMALS = f"{COURSE}/assignments/animals"
PASSWORD = "correct horse battery"
ROSTER = """\
email,name,section,role
mei@example.edu,Lin Mei,A,student
kofi@example.edu,Kofi Mensah,B,student
lena@example.edu,Lena Weiß,B,student
omar@example.edu,=Omar,B,student
tom@example.edu,Tom,B,assistant
"""
# their passwords are known; those of the people whom the list brings are drawn
_MADE_ALONE = {
    "ada": "Ada Byron",
    "zoe": "Zoe Outside",
    "mei": "Lin Mei",
    "base": "Baselines",
}
_READERS = ("mei", "kofi", "ada", "base", "zoe", "")
_EVALUATION_SECONDS = 120.0


def furnish(site: Site) -> None:
    """Make the server's state, its people and assignments by command; then start the server."""
    site.command("leaderboard", "init")
    for name, full in _MADE_ALONE.items():
        site.command("leaderboard", *_account(name), "--name", full)
        site.passwords[name] = PASSWORD
    course = ("create-course", "dl-1", "--title", "Deep Learning", "--term", "Autumn 2026")
    course = (*course, "--late-days", "1", "--time-zone")
    site.command("leaderboard", *course, "Asia/Shanghai")
    enrol = ("leaderboard", "enrol", "dl-1")
    site.command(*enrol, "ada@example.edu", "--role", "instructor")
    _import_roster(site)
    site.command(*enrol, "base@example.edu", "--role", "baseline", "--team", "lenet5")
    publish = ("leaderboard", "publish", "--course")
    for folder in ("animals", "odds", "ladder", "future", "animals"):
        site.command(*publish, "dl-1", f"assignments/{folder}")
    site.commands(
        ["leaderboard", *_account("ada")],
        ["leaderboard", *course, "Asia/Shanghai"],
        ["leaderboard", *course, "Nowhere/Land"],
        [*publish, "dl-1", "assignments/wrong"],
        [*publish, "dl-9", "assignments/animals"],
        ["leaderboard", "import-roster", "dl-1", "bad-roster.csv"],
    )
    _make_token(site, "mei")
    _make_token(site, "ada", "--staff")
    site.serve()
    site.work()
    for name in ("zoe", "tom", "base", "kofi", "lena"):
        site.take_token(name, "read", "submit", *(["staff"] if name == "tom" else []))


def _account(name: str, password: str = PASSWORD) -> tuple[str, ...]:
    return ("create-user", "--email", f"{name}@example.edu", "--password", password)


def _import_roster(site: Site) -> None:
    for name, text in (("roster", ROSTER), ("bad-roster", "name,mail\nMei,mei@example.edu\n")):
        (site.folder / f"{name}.csv").write_text(text, encoding="utf-8")
    hidden = re.compile(r"(?<=@example\.edu,).+")
    words = ("leaderboard", "import-roster", "dl-1", "roster.csv")
    drawn = site.command(*words, masked=lambda text: hidden.sub("<password>", text))
    for line in drawn.splitlines():
        email, _, password = line.partition(",")
        site.passwords[email.partition("@")[0]] = password


def _make_token(site: Site, name: str, *options: str) -> None:
    made = site.command("leaderboard", "create-token", f"{name}@example.edu", *options)
    site.tokens[name] = made.strip()


def begin_by_api(site: Site) -> None:
    """What the API says before any result is there: nobody evaluates yet."""
    site.rest()
    site.api("GET", "/openapi.json")
    site.api("GET", "/receipt-key")
    _ask_for_tokens(site)
    _read(site, "at first")
    first = _hand_in(site, "mei", files.predictions(30), key="k1", message="first try 初次")
    _hand_in(site, "mei", files.predictions(30), key="k1", note="again")
    _hand_in(site, "mei", files.predictions(31), key="k1", note="another body")
    second = _hand_in(site, "mei", files.predictions(30), key="k2", note="equal content")
    site.api("GET", f"/submissions/{second['id']}", "mei")
    for who in ("kofi", "", "mei", "mei"):
        site.api("POST", f"/submissions/{second['id']}/cancel", who)
    _refused_ones(site)
    site.work()
    site.settled("dl-1", "animals", "odds", who="ada")
    site.api("POST", f"/submissions/{first['id']}/cancel", "mei", note="too late")


def _ask_for_tokens(site: Site) -> None:
    right = {"email": "mei@example.edu", "password": PASSWORD}
    for language in LANGUAGES:
        for note, body in (
            ("right", right),
            ("wrong password", {**right, "password": "wrong horse battery"}),
            ("unknown scope", {**right, "scopes": ["read", "fly"]}),
            ("scopes no list", {**right, "scopes": "read"}),
            ("no password", {"email": "mei@example.edu"}),
            ("staff", {**right, "scopes": ["staff"], "name": "mine"}),
        ):
            site.api("POST", "/tokens", language=language, note=note, json=body)
    site.api(
        "POST", "/tokens", note="no JSON", content=b"{", headers={"Content-Type": "text/plain"}
    )
    site.tokens["wrong"] = "gw_" + "x" * 43
    site.api("GET", "/me", "wrong")
    site.api("GET", "/nowhere", "mei")
    site.api("DELETE", "/me", "mei")


def _refused_ones(site: Site) -> None:
    """Hand-ins that the door turns away, or takes and rejects, in both languages."""
    good, slug = files.predictions(10), "animals"
    for language in LANGUAGES:
        for note, content, options in (
            ("broken", files.broken(good), {}),
            ("UTF-16", good.decode().encode("utf-16"), {}),
            ("semicolons", good.replace(b",", b";"), {}),
            ("no rows", b"id,label\n", {}),
            ("empty", b"", {}),
            ("spreadsheet", b"PK\x03\x04 not a zip", {"filename": "predictions.xlsx"}),
            ("no bundle", b"PK\x03\x04 not a zip", {"filename": "bundle.zip"}),
            ("no checkpoint", files.bundle(with_checkpoint=False), {"filename": "bundle.zip"}),
            ("forbidden data", good, {"declared": "external_data"}),
            ("unknown word", good, {"declared": "luck"}),
            ("bad claims", good, {"claims": "accuracy = many"}),
        ):
            _hand_in(site, "kofi", content, slug=slug, language=language, note=note, **options)
        _hand_in(site, "kofi", good, slug="future", language=language)
        _hand_in(site, "kofi", files.bundle(), slug="ladder", language=language, filename="b.zip")
        _hand_in(site, "kofi", good, slug="odds", language=language, note="labels for log loss")
        _hand_in(site, "ada", good, language=language, note="staff")
        site.api("POST", f"{ANIMALS}/submissions", "kofi", language=language, note="no file")
    _hand_in(site, "zoe", good)
    _hand_in(site, "", good)
    _hand_in(site, "kofi", good, slug="nothing")


def _hand_in(
    site: Site,
    who: str,
    content: bytes,
    *,
    slug: str = "animals",
    filename: str = "predictions.csv",
    key: str = "",
    note: str = "",
    language: str = "en",
    **fields: str,
) -> Any:
    return site.api(
        "POST",
        f"{COURSE}/assignments/{slug}/submissions",
        who,
        language=language,
        note=note,
        headers={"Idempotency-Key": key} if key else {},
        files={"file": (filename, content)},
        data=fields,
    )


def scored(site: Site, who: str, content: bytes, **options: Any) -> str:
    """Hand in and wait for the result, so that everything happens in one order; the id."""
    found = _hand_in(site, who, content, **options)
    site.finished(found["id"], who)
    site.api("GET", f"/submissions/{found['id']}", who, note="scored")
    return str(found["id"])


def hand_in_by_api(site: Site, *, runs_code: bool) -> dict[str, str]:
    """Hand-ins of every kind, each scored before the next; their ids by a name for each."""
    made = {
        "mei": scored(site, "mei", files.predictions(12), claims="accuracy = 0.9\nmacro_f1 = 0.5"),
        "kofi": scored(site, "kofi", files.predictions(20, 1), declared="pretrained"),
        "lena": scored(site, "lena", files.predictions(45, 2), declared="none"),
        "base": scored(site, "base", files.predictions(40, 4)),
        "base odds": scored(site, "base", files.odds(40), slug="odds"),
        "mei odds": scored(site, "mei", files.odds(25), slug="odds", note="late"),
        "lena odds": scored(site, "lena", files.odds(25, 0.9), slug="odds", note="late"),
        "mei ladder": scored(site, "mei", files.predictions(40), slug="ladder"),
        "mei ladder 2": scored(site, "mei", files.predictions(39), slug="ladder"),
    }
    _hand_in(site, "mei", files.predictions(38), slug="ladder", note="above the daily limit")
    _hand_in(
        site, "mei", files.predictions(38), slug="ladder", language="zh", note="above the limit"
    )
    if runs_code:
        breaks = files.bundle(prefix="raise ValueError('不行')\n")
        zipped = {"filename": "bundle.zip"}
        made["lena code"] = scored(site, "lena", files.bundle(), declared="none", **zipped)
        made["kofi code"] = scored(site, "kofi", breaks, declared="none", **zipped)
    for who, body in (
        ("mei", {"submissions": [made["mei"]]}),
        ("mei", {"submissions": ["s_0000000000"]}),
        ("mei", {"submissions": [made["kofi"]]}),
        ("mei", {}),
        ("ada", {"submissions": [made["mei"]]}),
        ("", {"submissions": []}),
    ):
        site.api("POST", f"{ANIMALS}/picks", who, json=body)
    site.api("POST", f"{ANIMALS}/picks", "kofi", json={"submissions": [made["mei"]]}, language="zh")
    _read(site, "with scores")
    _read_submissions(site, made)
    return made


def _read(site: Site, when: str) -> None:
    """Every operation that reads a course, by everybody, and in both languages by one."""
    paths = ["/me", f"{COURSE}/assignments", "/courses/dl-9/assignments"]
    for slug in ("animals", "odds", "ladder", "future", "nothing"):
        path = f"{COURSE}/assignments/{slug}"
        paths += [path, *(f"{path}/{name}" for name in ("submissions", "leaderboard", "quota"))]
        paths += [f"/staff{path}/submissions", f"/staff{path}/grades.csv"]
    boards = f"{ANIMALS}/leaderboard"
    queries = (
        "split=private",
        "split=secret",
        "track=pretrained",
        "track=wide",
        "page=2&per_page=1",
    )
    paths += [*(f"{boards}?{query}" for query in queries), f"{ANIMALS}/submissions?cursor=1"]
    paths += [f"{boards}?page=0", f"{ANIMALS}/submissions?cursor=x"]
    for path in paths:
        for who in _READERS:
            site.api("GET", path, who, note=when)
        site.api("GET", path, "mei", language="zh", note=when)
    pack = site.api("GET", ANIMALS, "mei", note=when)["pack"]
    for who in _READERS:
        site.api("GET", f"{ANIMALS}/pack", who, note=when)
    for name, value in (
        ("If-None-Match", f'"{pack["sha256"]}"'),
        ("Range", "bytes=10-99"),
        ("Range", "bytes=99999999-"),
    ):
        site.api("GET", f"{ANIMALS}/pack", "mei", headers={name: value}, note=f"{when}, {name}")


def _read_submissions(site: Site, made: dict[str, str]) -> None:
    for name, public_id in made.items():
        for who in _READERS:
            site.api("GET", f"/submissions/{public_id}", who, note=name)
        site.api("GET", f"/submissions/{public_id}", "mei", language="zh", note=name)
    for who in _READERS:
        site.api("GET", f"/submissions/{made['mei']}/events", who)
    site.api("GET", "/submissions/s_nothing00", "mei")


def judge_by_api(site: Site, made: dict[str, str]) -> None:
    """What staff do by the API: judge again, release, take it back, release, read the grades."""
    again = f"/staff/submissions/{made['mei']}/rejudge"
    for who in ("mei", "", "zoe"):
        site.api("POST", again, who, json={"cause": "rescore"})
    site.api("POST", again, "ada", json={"cause": "revenge"})
    for number, who in ((2, "tom"), (3, "ada")):
        site.api("POST", again, who, json={"cause": "rescore"})
        wait_for_evaluation(site, made["mei"], number)
    release = f"/staff{ANIMALS}/release"
    for who, body in (
        ("mei", {}),
        ("tom", {}),
        ("ada", {"released": "yes"}),
        ("ada", {"released": True}),
        ("ada", {"released": False}),
        ("ada", {}),
    ):
        site.api("POST", release, who, json=body)
    _read(site, "released")
    _read_submissions(site, made)
    site.api("POST", f"{ANIMALS}/picks", "mei", json={"submissions": []}, note="released")


def wait_for_evaluation(site: Site, public_id: str, number: int) -> None:
    """Wait, unrecorded, until a submission was evaluated so many times."""
    deadline = time.monotonic() + _EVALUATION_SECONDS
    while time.monotonic() < deadline:
        found = site.peek(f"/submissions/{public_id}", "ada")
        if len(found["evaluations"]) >= number and found["status"] == "finished":
            return
        time.sleep(0.1)
    raise TimeoutError(f"evaluation {number} of {public_id} did not come")


def uncalled(site: Site) -> list[str]:
    """The operations of the OpenAPI document that the story has not called."""
    missing = []
    for path, operations in site.peek("/openapi.json", "mei")["paths"].items():
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        for method in operations.keys() & {"get", "post", "put", "patch", "delete"}:
            called = (each for each in site.called if each[0] == method.upper())
            if not any(pattern.fullmatch(each[1]) for each in called):
                missing.append(f"{method.upper()} {path}")
    return missing

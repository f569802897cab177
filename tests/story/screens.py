"""The story's pages: each that a student, a teacher or a passer-by reaches, and every form."""

from __future__ import annotations

import re

from story import files
from story.site import LANGUAGES, Site
from story.telling import PASSWORD, wait_for_evaluation
from story.visitor import Visitor

ANIMALS = "/c/dl-1/a/animals"
_NEW_PASSWORD = "four quiet words here"
_ROSTER = "email,name,section\nyusuf@example.edu,Yusuf,C\nmei@example.edu,Lin Mei,A\n"


def pages(site: Site, made: dict[str, str], when: str) -> None:
    """Every page that links lead to, and some that none leads to, in both languages."""
    for language in LANGUAGES:
        stranger = Visitor(site, language=language, when=when)
        stranger.walk("/sign-in", "/join", "/password", "/privacy", "/", f"{ANIMALS}/", "/nowhere")
        stranger.get("/join/not-a-link")
        stranger.get("/sign-up/not-a-link")
        stranger.get("/password/not-a-link")
        for name, start in (("mei", "/"), ("ada", "/staff/"), ("tom", "/staff/c/dl-1/")):
            visitor = _signed_in(site, name, language, when)
            visitor.walk(start, *(f"/s/{public_id}" for public_id in made.values()))
            for path in (
                "/staff/c/dl-1/people/",
                f"/staff{ANIMALS}/release",
                f"/staff{ANIMALS}/?team=Lin&verdict=OK",
                f"/staff{ANIMALS}/rescore?split=private",
                f"{ANIMALS}/leaderboard?q=lin&baselines=0",
                f"{ANIMALS}/leaderboard?split=private",
                f"{ANIMALS}/leaderboard.csv?split=private",
                f"{ANIMALS}/leaderboard?track=pretrained",
                f"/s/{made['mei']}/events",
                f"/s/{made['mei']}?baseline=1",
                "/c/dl-9/",
                "/c/dl-1/a/nothing/",
                "/account/data.json",
                "/notifications/999",
            ):
                visitor.get(path)
            visitor.get("/nowhere", Accept="application/json")
        outsider = _signed_in(site, "zoe", language, when)
        outsider.walk("/")
        outsider.get(f"/s/{made['mei']}")


def forms(site: Site, made: dict[str, str]) -> None:
    """Every form of the pages, filled in rightly and wrongly."""
    site.command(
        "leaderboard", "course-code", "dl-1", masked=lambda text: "<code>" if text.strip() else ""
    )
    for language in LANGUAGES:
        mei = _signed_in(site, "mei", language, "forms")
        _hand_in(mei)
        _submission(mei, made)
        _account(mei)
        _tokens(mei)
        _team(mei)
        ada = _signed_in(site, "ada", language, "forms")
        _people(ada, mei)
        _staff_work(ada, made)
        _ways_in(site, ada, language)


def _signed_in(site: Site, name: str, language: str, when: str) -> Visitor:
    visitor = Visitor(site, name, language, when=when)
    visitor.sign_in(f"{name}@example.edu", site.passwords[name])
    return visitor


def _hand_in(mei: Visitor) -> None:
    good = files.predictions(15, 6 if mei.language == "en" else 7)
    for content, name, accept, fields in (
        (good, "a.csv", "text/html", {"message": "by the page", "declared": "yes"}),
        (files.broken(good), "b.csv", "text/html", {"declared": "yes"}),
        (files.broken(good), "c.csv", "application/json", {"declared": "yes"}),
        (good, "d.csv", "application/json", {"declared": "yes", "form_key": "x"}),
        (good, "e.xlsx", "application/json", {}),
        (b"", "f.csv", "text/html", {}),
    ):
        answer = mei.post(
            f"{ANIMALS}/submit", files={"file": (name, content)}, accept=accept, **fields
        )
        for public_id in re.findall(
            r"/s/(s_\w+)", answer.headers.get("location", "") + answer.text
        ):
            mei.site.finished(public_id, "mei")
    mei.post(f"{ANIMALS}/submit", accept="application/json")
    mei.post("/c/dl-1/a/future/submit", files={"file": ("a.csv", good)})
    mei.get(f"{ANIMALS}/submissions")


def _submission(mei: Visitor, made: dict[str, str]) -> None:
    mei.post(f"{ANIMALS}/picks", pick=[made["mei"]])
    mei.post(f"{ANIMALS}/picks", pick=[made["kofi"]])
    mei.post(f"/s/{made['mei']}/claims", claims="accuracy = 0.912\nmacro_f1 = 0.5")
    mei.post(f"/s/{made['mei']}/claims", claims="accuracy is high")
    mei.post(f"/s/{made['kofi']}/claims", claims="accuracy = 1")
    mei.post(f"/s/{made['mei']}/cancel")
    mei.post_without_token(f"/s/{made['mei']}/cancel")


def _account(mei: Visitor) -> None:
    for fields in (
        {"language": "zh", "time_zone": "Europe/Berlin"},
        {"language": "xx", "time_zone": ""},
        {"language": "", "time_zone": ""},
    ):
        mei.post("/account", **fields)
    mei.post("/account/notices", wanted=["page:result"])
    wrong = "wrong horse battery"
    mei.post("/account/password", old=wrong, new=_NEW_PASSWORD)
    mei.post("/account/password", old=PASSWORD, new="short")
    mei.post("/account/password", old=PASSWORD, new=PASSWORD)
    mei.post("/account/email", email="no address", password=PASSWORD)
    mei.post("/account/email", email="mei2@example.edu", password=PASSWORD)
    mei.post("/notifications/read")
    mei.post("/language", language="zh", next="/privacy")
    mei.post("/language", language="", next="/privacy")
    mei.post("/account", language="", time_zone="")
    mei.forget("language")
    mei.post("/theme", theme="dark", next="/privacy")
    mei.post("/theme", theme="", next="https://example.org/")
    mei.forget("theme")


def _tokens(mei: Visitor) -> None:
    mei.post("/tokens", name="laptop", days="30", scope="read")
    answer = mei.post("/tokens", name="", days="7", scope="submit", staff="1")
    for number in re.findall(r'action="/tokens/(\d+)/revoke', answer.text)[:1]:
        mei.post(f"/tokens/{number}/revoke")
    mei.post("/tokens/99999/revoke")


def _team(mei: Visitor) -> None:
    team = "/c/dl-1/team"
    mei.post(team, name="Kofi Mensah", pseudonym="")
    mei.post(team, name="", pseudonym="")
    mei.post(team, name=f"Team Mei {mei.language}", pseudonym="Night owls")
    mei.post(f"{team}/invite")
    mei.post(f"{team}/invite", email="no address")
    mei.post(f"{team}/invite", email=f"friend-{mei.language}@example.edu")
    for number in re.findall(r"team/invitations/(\d+)/revoke", mei.get(team).text)[:1]:
        mei.post(f"{team}/invitations/{number}/revoke")
    mei.post(f"{team}/leave")


def _people(ada: Visitor, mei: Visitor) -> None:
    people = "/staff/c/dl-1/people"
    ada.post(f"{people}/invite", role="assistant")
    ada.post(f"{people}/invite", role="student", emails="no address")
    ada.post(f"{people}/invite", role="student", emails=f"new-{ada.language}@example.edu")
    for number in re.findall(r"invitations/(\d+)/revoke", ada.get(f"{people}/").text)[:1]:
        ada.post(f"{people}/invitations/{number}/revoke")
    ada.post(f"{people}/roster", roster=_ROSTER)
    ada.post(f"{people}/roster", roster="name\nYusuf\n")
    ada.post(f"{people}/teams", size="3", until="2098-05-01T12:00")
    ada.post(f"{people}/teams", size="3", until="soon")
    ada.post(f"{people}/teams", size="99", until="")
    (omar,) = re.findall(r"people/(\d+)/team(?=[^/]*?=Omar)", _by_person(ada))
    ada.post(f"{people}/{omar}/team", team="0")
    ada.post(f"{people}/{omar}/team", team="9999")
    mei.post(f"{people}/code", open="yes")


def _by_person(ada: Visitor) -> str:
    """The page of people, each form followed by the name in its label."""
    text = ada.get("/staff/c/dl-1/people/").text
    found = re.findall(r'(people/\d+/team)".*?aria-label="([^"]*)"', text, re.DOTALL)
    return "\n".join(f"{form} {label}" for form, label in found)


def _staff_work(ada: Visitor, made: dict[str, str]) -> None:
    ada.post(f"/staff/s/{made['kofi']}/rejudge", cause="rescore")
    wait_for_evaluation(ada.site, made["kofi"], 2 if ada.language == "en" else 4)
    ada.post(f"/staff{ANIMALS}/release", show="yes")
    ada.post(f"/staff{ANIMALS}/release", show="no")
    ada.post_unfollowed(f"/staff{ANIMALS}/rescore")
    wait_for_evaluation(ada.site, made["kofi"], 3 if ada.language == "en" else 5)
    ada.get(f"/staff{ANIMALS}/rescore")


def _ways_in(site: Site, ada: Visitor, language: str) -> None:
    """Into the course by its code, a mailed link and an account; then a forgotten password."""
    page = ada.post("/staff/c/dl-1/people/code", open="yes")
    code = re.search(r"data-course-code>([^<]+)<", ada.get("/staff/c/dl-1/people/").text)
    assert code is not None, page.text
    site.words.hide(code[1], "code")
    site.words.hide(code[1].replace(" ", ""), "code")
    email = f"ines-{language}@example.edu"
    ines = Visitor(site, f"ines-{language}", language, when="forms")
    ines.post("/join", code="WRONGCODE")
    secret = ines.post("/join", code=code[1]).headers["location"]
    ines.post(f"{secret}/account", email="no address")
    ines.post(f"{secret}/account", email=email)
    link = site.mailed(email, "/sign-up/")
    ines.get(link)
    ines.post(link, name="Inês", password="short")
    ines.post(link, name="Inês", password=PASSWORD)
    ines.walk("/")
    ines.post("/sign-out")
    ines.post("/password", email="nobody@example.edu")
    ines.post("/password", email=email)
    link = site.mailed(email, "/password/")
    ines.get(link)
    ines.post(link, password="short")
    ines.post(link, password=_NEW_PASSWORD)
    ines.get(link)
    ines.post("/account/devices/sign-out")
    ines.sign_in(email, PASSWORD)
    ada.post("/staff/c/dl-1/people/code", open="no")

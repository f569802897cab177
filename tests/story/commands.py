"""The story's commands: those that need no server, a student's, and those of the server."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable

from story import files
from story.normalise import without_numbers
from story.site import LANGUAGES, Site, archive, tree
from story.telling import PASSWORD, wait_for_evaluation

_BOTH = tuple(LANGUAGES)


def sandbox(site: Site) -> bool:
    """What the sandbox says of this machine; whether code can run."""
    text = site.command("sandbox", "self-check", "--json", masked=without_numbers)
    site.command("sandbox", "self-check", "--backend", "none")
    return all(check["ok"] or not check["required"] for check in json.loads(text)["checks"])


def helps(site: Site) -> None:
    """The help of every command, and what the references say of themselves."""
    for command, languages in (
        ("grader", _BOTH),
        ("leaderboard", ("en",)),
        ("reference", ("en",)),
        ("sandbox", ("en",)),
    ):
        text = site.run(command, "--help").stdout.partition("Commands:\n")[2]
        names = re.findall(r"^  (\S+)", text, re.MULTILINE)
        pages = [[command, name, "--help"] for name in names]
        site.commands([command, "--help"], [command, "nothing"], *pages, languages=languages)
    listed = ("list", "list --json", "card", "card lenet5 --json", "card nothing", "compare --json")
    site.commands(*(["reference", *each.split()] for each in listed))


def _twice(lines: Iterable[str]) -> list[list[str]]:
    """Each command as people and as scripts call it."""
    return [[*line.split(), *option] for line in lines for option in ([], ["--json"])]


def offline(site: Site, *, runs_code: bool) -> None:
    """What needs no server: kits, scores, claims, a new assignment."""
    written = {
        "good.csv": files.predictions(12),
        "bad.csv": files.broken(files.predictions(12)),
        "utf16.csv": files.predictions(12).decode().encode("utf-16"),
        "odds.csv": files.odds(12),
        "report.txt": files.REPORT.encode(),
        "wrong-report.txt": files.REPORT.replace("0.9000    0.9000", "0.8000    0.9500").encode(),
        "bundle.zip": files.bundle(),
        "broken.zip": files.bundle(prefix="import nothing_here\n"),
        "empty.zip": files.bundle(with_checkpoint=False),
    }
    for name, content in written.items():
        (site.folder / name).write_bytes(content)
    folder = "assignments/animals"
    lines = [f"score {folder} {name}" for name in ("good.csv", "bad.csv", "utf16.csv", "odds.csv")]
    lines += ["score assignments/odds good.csv", "score assignments/wrong good.csv"]
    lines += [f"score {folder} empty.zip"]
    lines += ["claims wrong-report.txt", "claims good.csv"]
    lines += ["claims report.txt --claim accuracy=.75 --claim macro_f1=.9"]
    lines += ["claims --test-size 5000 --public 0.90200 --private 0.88942"]
    site.commands(*_twice(f"grader {line}" for line in lines), languages=_BOTH)
    measured = site.run("grader", "score", folder, "good.csv", "--json").stdout
    for language in _BOTH:
        for option in ((), ("--json",)):
            words = ("claims", "--measured", "-", "--claim", "accuracy=.9", *option)
            site.command("grader", *words, language=language, stdin=measured)
    _kits(site)
    _new_assignment(site)
    if runs_code:
        site.commands(["grader", "score", folder, "bundle.zip", "--json"])
        site.commands(["grader", "score", folder, "broken.zip"], languages=_BOTH)


def _kits(site: Site) -> None:
    for kind in ("csv", "code"):
        for language in _BOTH:
            name = f"kit-{kind}-{language}"
            site.command("grader", "init", "--kind", kind, name, language=language)
            site.keep(f"the folder {name}", tree(site.folder / name))


def _new_assignment(site: Site) -> None:
    files.write_photos(site.folder / "photos")
    for language in _BOTH:
        for option in ((), ("--size", "10x10", "--json")):
            name = f"new-{language}{''.join(option)}"
            words = ("new", name, "--from", "photos", "--seed", "7", *option)
            site.command("grader", *words, language=language)
            if (site.folder / name).exists():
                site.keep(f"the folder {name}", tree(site.folder / name))
        site.command("grader", "new", "assignments", "--from", "photos", language=language)


def online(site: Site, made: dict[str, str]) -> None:
    """What a student does by command: sign in, fetch, check, hand in, look, pick."""
    signing_in = ("grader", "login", site.url, "--email", "mei@example.edu", "--password-stdin")
    site.commands(["grader", "status"], languages=_BOTH)
    for language in _BOTH:
        site.command(*signing_in, language=language, stdin="wrong horse battery\n")
        site.command(*signing_in, language=language, stdin=f"{PASSWORD}\n")
        site.command("grader", "quota", "-a", "animals", "--token", "gw_x", language=language)
    _fetch(site)
    lines = ["status", *(f"status {made[name]}" for name in ("mei", "kofi", "mei odds"))]
    lines += [f"leaderboard -a {slug}" for slug in ("animals", "odds", "no")]
    lines += ["leaderboard -a animals --split private", "submissions -a animals"]
    lines += ["quota -a animals"]
    # first, since a server that is away is asked for half a minute
    away = ["grader", "quota", "-a", "animals", "--server", "http://127.0.0.1:9", "--token", "gw_x"]
    site.commands(away, *_twice(f"grader {line}" for line in lines), languages=_BOTH)
    tables = ("status", "leaderboard -a animals", "submissions -a animals", "quota -a animals")
    site.commands(*(f"grader {line} --csv".split() for line in tables), languages=_BOTH)
    _hand_in(site, made)
    _receipt(site, made)


def _fetch(site: Site) -> None:
    for language in _BOTH:
        for option in ((), ("--json",)):
            name = f"pack-{language}{''.join(option)}"
            site.command("grader", "data", "animals", name, *option, language=language)
            site.keep(f"the folder {name}", tree(site.folder / name))
            site.command("grader", "data", "nothing", *option, language=language)
    lines = [f"check {name} -a pack-en" for name in ("good.csv", "bad.csv", "empty.zip")]
    site.commands(*_twice(f"grader {line}" for line in lines), languages=_BOTH)
    site.commands(["grader", "check", "bundle.zip", "-a", "pack-en", "--json"])
    site.commands(["grader", "check", "broken.zip", "-a", "pack-en"], languages=_BOTH)


def _hand_in(site: Site, made: dict[str, str]) -> None:
    for language in _BOTH:
        for option in ((), ("--json",)):
            number = 2 * _BOTH.index(language) + len(option)
            (site.folder / "mine.csv").write_bytes(files.predictions(20 + number, number))
            words = ("grader", "submit", "mine.csv", "-a", "odds", "-m", "labels", *option)
            site.command(*words, language=language)
            site.settled("dl-1", "odds", who="ada")
            words = ("grader", "submit", "mine.csv", "-a", "animals", "-m", "by command")
            claim = ("--claim", "macro_f1=.9", "--declare", "none")
            waiting = (*words, "--wait", *claim, *option)
            site.command(*waiting, language=language, masked=_without_phases)
            site.command("grader", "submit", "bad.csv", "-a", "animals", *option, language=language)
            pick = ("grader", "pick", made["mei"], *option)
            site.command(*pick, language=language)
            site.command("grader", "pick", made["kofi"], *option, language=language)
            site.command("grader", "cancel", made["mei"], *option, language=language)
        site.command(*words, "--declare", "external_data", language=language)
        site.command(*words, "--declare", "none", "--declare", "pretrained", language=language)


def _receipt(site: Site, made: dict[str, str]) -> None:
    status = site.run("grader", "status", made["mei"], "--json").stdout
    (site.folder / "receipt.json").write_text(status)
    (site.folder / "forged.json").write_text(
        status.replace("Z", "z").replace('"sha256": "', '"sha256": "0')
    )
    (site.folder / "key.json").write_text(json.dumps(site.peek("/receipt-key", "mei")))
    for words in ("receipt.json --of good.csv", "receipt.json --of bad.csv", "forged.json"):
        line = f"grader receipt {words} --key key.json".split()
        site.commands(line, languages=_BOTH)


def after_the_release(site: Site, made: dict[str, str]) -> None:
    """What the commands show once the private board is open."""
    lines = [f"status {made['mei']}", "leaderboard -a animals --split private", "status"]
    site.commands(*_twice(f"grader {line}" for line in lines), languages=_BOTH)


def server(site: Site, made: dict[str, str]) -> None:
    """What keeps a server: checks, exports, backup and restore, and a person's end."""
    site.command("leaderboard", "doctor", "--json", masked=without_numbers)
    hashes = re.compile(r'("(?:hash|signature|previous)": ?")[^"]+')
    site.command("leaderboard", "audit", "heads", masked=lambda text: hashes.sub(r"\1<hash>", text))
    site.commands(
        ["leaderboard", "settings"],
        ["leaderboard", "audit", "verify"],
        ["leaderboard", "verify"],
        ["leaderboard", "retention", "--days", "1", "--dry-run"],
        ["leaderboard", "export-grades", "dl-1", "animals"],
        ["leaderboard", "export-grades", "dl-1", "odds"],
        ["leaderboard", "rescore", "dl-1", "animals", "--preview"],
        ["leaderboard", "rescore", "dl-1", "animals", "--preview", "--private"],
        ["leaderboard", "rejudge", "s_nothing00"],
        ["leaderboard", "worker", "--name", "story"],
        ["leaderboard", "serve", "--no-worker"],
        ["leaderboard", "--state", "nowhere", "doctor"],
    )
    _changes(site, made)
    site.command("leaderboard", "backup", "kept", masked=_without_size)
    elsewhere = {"LEADERBOARD_STATE_DIR": str(site.folder / "second")}
    site.command("leaderboard", "restore", "kept", **elsewhere)
    _one_person(site)


def _changes(site: Site, made: dict[str, str]) -> None:
    answers = site.folder / "assignments" / "animals" / "answers.csv"
    answers.write_text(
        answers.read_text().replace("img000,", "img000,1", 1).replace(",10", ",0", 1)
    )
    site.command("leaderboard", "publish", "assignments/animals", "--course", "dl-1")
    site.command("leaderboard", "rescore", "dl-1", "animals", "--preview")
    site.command("leaderboard", "rescore", "dl-1", "animals", masked=_last_line)
    count = len(site.peek(f"/submissions/{made['mei']}", "ada")["evaluations"])
    site.command("leaderboard", "rejudge", made["mei"])
    wait_for_evaluation(site, made["mei"], count + 1)
    site.command("leaderboard", "release", "dl-1", "animals", "--undo")
    site.command("leaderboard", "invite", "dl-1", "ivy@example.edu", "no-address")
    site.command("leaderboard", "invite", "dl-1", "--role", "assistant")
    site.command("leaderboard", "course-code", "dl-1", "--off")
    site.commands(
        ["grader", "leaderboard", "-a", "animals"],
        ["leaderboard", "export-grades", "dl-1", "animals"],
    )


def _one_person(site: Site) -> None:
    site.command("leaderboard", "export-person", "lena@example.edu", "lena.zip")
    content = (site.folder / "lena.zip").read_bytes()
    assert zipfile.is_zipfile(io.BytesIO(content))
    site.keep("what lena.zip holds", archive(content))
    site.command("leaderboard", "erase-person", "lena@example.edu", "--yes")
    site.command("leaderboard", "verify")
    site.command("leaderboard", "audit", "verify")
    site.commands(["grader", "leaderboard", "-a", "animals"])


def _without_phases(text: str) -> str:
    """What a waiting person is told, without the phases that were seen by chance."""
    return re.sub(r"(?m)^(queued|running|排队中|运行中).*\n", "", text)


def _without_size(text: str) -> str:
    return re.sub(r"[\d.]+ MB", "# MB", text)


def _last_line(text: str) -> str:
    """What stands when a progress bar is done."""
    return text.strip().splitlines()[-1] if text.strip() else ""

"""What goes wrong on a command line: one sentence each, and the exit code of `grader --help`."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from grader.cli import cli
from grader.cli.terminal.base import checked_address

HERE = ("--course", "dl-2026")


def sentence(result):
    """All that is said beside the way to get help."""
    return result.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("shape",), "none of your courses has an assignment 'shape': did you mean 'shapes'?"),
        (("shape", *HERE), "course 'dl-2026' has no assignment 'shape': did you mean 'shapes'?"),
        (("qqq", *HERE), "course dl-2026 has no assignment 'qqq' (there: shapes)"),
        (("shapes", "--course", "dl-2025"), "not enrolled in 'dl-2025': did you mean 'dl-2026'?"),
        (("shapes", "--course", "physics"), "not enrolled in 'physics' (your courses: dl-2026)"),
    ],
)
@pytest.mark.parametrize("command", ["quota", "leaderboard", "submissions"])
def test_an_assignment_or_course_that_is_not_there_is_named_with_the_nearest(
    signed_in, run, command, arguments, words
):
    result = run(command, "-a", *arguments)

    assert result.exit_code == 2
    assert words in sentence(result)


def test_a_hand_in_to_a_wrong_assignment_is_told_so_before_anything_is_sent(
    signed_in, run, right_answers
):
    result = run("submit", right_answers, "-a", "shaps")

    assert result.exit_code == 2
    assert "did you mean 'shapes'?" in sentence(result)
    assert signed_in.submissions == {}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("grader.example.edu/", "https://grader.example.edu"),
        ("http://grader.example.edu", "http://grader.example.edu"),
        ("localhost:8000", "http://localhost:8000"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_an_address_without_a_scheme_is_https_and_http_on_this_machine(given, meant):
    assert checked_address(given) == meant


def test_a_server_may_be_named_without_its_scheme(signed_in, run):
    bare = signed_in.url.removeprefix("http://")
    assert run("quota", "-a", "shapes", "--server", bare).exit_code == 0


def test_a_server_that_is_no_address_is_wrong_usage(signed_in, run):
    result = run("quota", "-a", "shapes", "--server", "ftp://x")

    assert result.exit_code == 2
    assert "is not an http(s) address" in result.stderr


def test_https_to_a_server_that_speaks_http_is_said_in_a_sentence(signed_in, run, pauses):
    https = signed_in.url.replace("http:", "https:")

    result = run("quota", "-a", "shapes", "--server", https)

    assert result.exit_code == 5
    assert "no secure connection (" in result.stderr
    assert "is it https?" in result.stderr


@pytest.mark.parametrize("fault", ["cut", (502, {}), (503, {"Retry-After": "1"})])
def test_what_only_asks_waits_a_second_for_a_server_that_is_away(signed_in, run, pauses, fault):
    signed_in.faults.extend([fault] * 9)

    result = run("leaderboard", "-a", "shapes", *HERE)

    assert result.exit_code == 5 if fault != (503, {"Retry-After": "1"}) else 4
    assert pauses == [1.0]


def test_what_only_asks_does_not_wait_as_long_as_a_server_asks_for(signed_in, run, pauses):
    signed_in.faults.append((503, {"Retry-After": "30"}))

    assert run("leaderboard", "-a", "shapes", *HERE).exit_code != 0
    assert pauses == []


def test_a_hand_in_waits_half_a_minute_for_a_server_that_is_away(
    signed_in, run, pauses, right_answers
):
    signed_in.faults.extend(["cut"] * 9)

    assert run("submit", right_answers, "-a", "shapes", *HERE).exit_code == 5
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_what_may_have_arrived_is_sent_again_under_its_key(signed_in, run, pauses, right_answers):
    signed_in.faults.extend(["cut"] * 9)

    talk = run("submit", right_answers, "-a", "shapes", *HERE).stderr

    assert "It may have arrived" in talk
    assert "Nothing was sent" not in talk


def test_where_no_connection_came_about_nothing_is_said_to_have_arrived(
    signed_in, run, pauses, right_answers, monkeypatch
):
    monkeypatch.setenv("GRADER_TOKEN", "of-this-server-alone")
    monkeypatch.setenv("GRADER_SERVER", "http://127.0.0.1:1")  # where nobody listens

    result = run("submit", right_answers, "-a", "shapes", *HERE)

    assert result.exit_code == 5
    assert "Nothing was sent." in result.stderr
    assert "arrived" not in result.stderr


def test_a_missing_file_is_wrong_usage(signed_in, run, tmp_path):
    result = run("submit", tmp_path / "predictions.csv", "-a", "shapes")

    assert result.exit_code == 2
    assert "predictions.csv" in sentence(result)
    assert "does not exist" in sentence(result)


def test_a_folder_without_code_is_rejected_before_anything_is_sent(signed_in, run, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "predictions.csv").write_text("id,label\n")

    result = run("submit", tmp_path / "work", "-a", "shapes")

    assert result.exit_code == 3
    assert "model.py is missing" in result.stdout
    assert "to hand in predictions, give 'predictions.csv' itself" in result.stdout
    assert signed_in.requests == []


def interrupted(arguments, when):
    """Start `grader`, interrupt it as Ctrl-C does when something has happened; code and talk."""
    program = subprocess.Popen(
        [sys.executable, "-m", "grader", *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        # where the tests run in the background, it would be ignored by what they start
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    end = time.monotonic() + 30
    while not when() and time.monotonic() < end:
        time.sleep(0.02)
    program.send_signal(signal.SIGINT)
    _, talk = program.communicate(timeout=30)
    return program.returncode, talk


def test_an_interrupted_hand_in_says_how_to_go_on(signed_in, right_answers, run):
    signed_in.faults.extend(["hang"])
    arguments = ("submit", right_answers, "-a", "shapes", *HERE)

    code, talk = interrupted(arguments, lambda: signed_in.requests)

    assert code == 130
    assert "it may have arrived (grader submissions -a shapes shows it)" in talk
    key = talk.partition("--key ")[2].split()[0]
    assert run(*arguments, "--key", key).exit_code == 0
    assert list(signed_in.by_key) == [key]


def test_an_interrupted_wait_says_that_the_hand_in_was_received(signed_in, right_answers):
    signed_in.stages = ["queued", "running"]  # for ever
    arguments = ("submit", right_answers, "-a", "shapes", *HERE, "--wait")

    code, talk = interrupted(
        arguments, lambda: any(path.endswith("/events") for _, path, *_ in signed_in.requests)
    )

    assert code == 130
    assert "your hand-in was received and goes on without you" in talk
    assert f"grader status {next(iter(signed_in.submissions))}" in talk


BLOCKED = """
    import sys

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {names!r}:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

    sys.meta_path.insert(0, Blocked())
    for name in {names!r}:
        sys.modules.pop(name, None)
"""


def without(names, program, *arguments, **environment):
    """Run a program in a Python that lacks some modules."""
    script = textwrap.dedent(BLOCKED.format(names=names)) + textwrap.dedent(program)
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def test_the_client_works_where_there_are_no_unix_modules(signed_in, right_answers, pack):
    program = """
        from importlib import import_module
        from grader.cli import COMMANDS, cli
        for module, function, _ in COMMANDS.values():
            getattr(import_module(module), function)
        import grader
        for name in grader.__all__:
            getattr(grader, name)
        cli()
    """
    unix = ("fcntl", "resource", "pwd", "grp", "termios", "pty", "syslog")

    checked = without(unix, program, "check", right_answers, "-a", pack)
    handed_in = without(unix, program, "submit", right_answers, "-a", "shapes", "--wait")

    assert (checked.returncode, checked.stderr) == (0, "")
    assert handed_in.returncode == 0, handed_in.stderr
    assert "0.75" in handed_in.stdout


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("leaderboard", ("doctor",), "gradewright[server]"),
        ("leaderboard", ("serve",), "gradewright[server]"),
        ("reference", ("train", "lenet5"), "gradewright[reference]"),
    ],
)
def test_a_command_that_the_base_install_lacks_names_its_extra(package, arguments, extra, tmp_path):
    names = ("flask", "sqlalchemy", "alembic", "dbos", "torch", "torchvision")
    main = "main" if package == "leaderboard" else "cli"

    result = without(
        names,
        f"from {package}.cli import {main}\n{main}()",
        *arguments,
        LEADERBOARD_STATE_DIR=str(tmp_path),
    )

    assert result.returncode == 2
    assert f"pip install '{extra.removesuffix(']')}" in sentence(result)
    assert "Traceback" not in result.stderr


def test_each_exit_code_is_in_the_help(run):
    text = run("--help").output
    assert cli.name == "grader"
    for words in ("0 scored", "2 wrong usage", "3 rejected", "4 a fault", "5 network", "130 inter"):
        assert words in text


def test_a_command_that_is_not_there_is_named_with_the_nearest(run):
    result = run("leaderbord", "-a", "x")
    assert result.exit_code == 2
    assert "there is no command leaderbord; is leaderboard meant?" in sentence(result)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "names a file, which grader login writes"), ("server = 3\n", "server must be a text")],
)
def test_settings_that_cannot_be_read_are_a_sentence(run, tmp_path, monkeypatch, content, words):
    path = tmp_path / "config"
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
    monkeypatch.setenv("GRADER_CONFIG", str(path))
    result = run("status")
    assert result.exit_code == 2
    assert words in sentence(result)

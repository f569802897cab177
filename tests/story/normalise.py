"""What may differ between two recordings of the same code: moments, measured times, random names.

Each rule names one such thing and leaves what stands around it; dates and numbers that the story
sets itself lie in years that no rule touches.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

_THIS_YEAR = datetime.now(UTC).year
_YEARS = "|".join(str(_THIS_YEAR + step) for step in (-1, 0, 1))
_SECRET = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_.-]{12,}"

# a moment keeps its form: its separators, its precision, its zone
_MOMENT = re.compile(
    rf"\b(?:{_YEARS})-\d\d-\d\d(?:(?P<t>[ T_])\d\d:?\d\d(?P<s>:\d\d)?(?P<f>\.\d+)?)?"
)

_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r'(name="csrf_token" value=")[^"]+', r"\1<csrf>"),
        (r'(name="form_key" value=")[^"]+', r"\1<form key>"),
        (rf"(/(?:join|sign-up|password|account/email)/){_SECRET}", r"\1<secret>"),
        (r"(data-course-code>)[a-z0-9]{4} [a-z0-9]{4}", r"\1<code>"),
        (r"\b(gw_)(?:[A-Za-z0-9_-]{40,}|[A-Za-z0-9_-]{7}(?=[…\"]))", r"\1<token>"),
        (r"\bu_[0-9a-f]{12}\b", "<upload>"),
        # uses of a token are noted now and then
        (r'("last_used_at": )(?:null|"[^"]*")', r"\1<when>"),
        (r'(gw_<token>…</td>\s*<td class="nowrap">).*?(</td>)', r"\1<when>\2"),
        # the packages that students' code runs with, which set-up may renew in between
        (r'("runner": ")[0-9a-f]{16}', r"\1<packages>"),
        (r'("worker": ")[^"]+', r"\1<process>"),
        (r'("(?:signature|public_key)": ")[A-Za-z0-9+/=]+', r"\1<base64>"),
        (r'("key_id": ")[0-9a-f]{16}', r"\1<key id>"),
        (r"(?m)(^ *(?:signature|签名) )[A-Za-z0-9+/=]{80,}", r"\1<base64>"),
        # how long until there is a result is told once something was measured
        (r'("eta_seconds": )(?:[0-9.e+-]+|null)', r"\1<measured>"),
        (r"(about |约 )\d+( s|秒| 秒)", r"\1<measured>\2"),
        (r'(<dd class="num">)\d+(?:\.\d+)? s', r"\1<measured> s"),
        # counts the looks of a worker at a submission
        (r'("revision": |data-revision=")\d+', r"\1<count>"),
        (r"(?m)^(id: )\d+$", r"\1<count>"),
        (r"(?m)^(retry-after: )\d{3,}$", r"\1<until midnight>"),
        (r"(Message-ID: <)[0-9a-f]+", r"\1<hash>"),
    )
)
# what a run took; limits of the same names stand in other objects and stay
_RUN = re.compile(r'"(?:timing|facts)": \{(?:[^{}]|\{[^{}]*\})*\}')
_MEASURED = re.compile(
    r'("(?:checking|sample|hidden|scoring|\w*seconds\w*|\w*memory_mb|order_seed)": )'
    r'(?:[0-9.e+-]+|"[^"]*")'
)
_CLIMBS = re.compile(r'<svg class="climbs".*?</svg>', re.DOTALL)
_ALLOWED = re.compile(r"(?m)^(allow: )(.+)$")
_SUBMISSION = re.compile(r"\bs_[0-9a-z]{8,12}\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")


class Normaliser:
    """Puts a name in the place of everything that differs from recording to recording."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._submissions: dict[str, str] = {}

    def hide(self, value: str | Path, name: str) -> None:
        """From now on `value` is shown as `<name>`; longer values go first."""
        self._names[str(value)] = f"<{name}>"
        self._names = dict(sorted(self._names.items(), key=lambda pair: -len(pair[0])))

    def apply(self, text: str) -> str:
        """The text with names for what is random; the same thing has the same name throughout."""
        for value, name in self._names.items():
            text = text.replace(value, name)
        return rules(_SUBMISSION.sub(self._submission, text))

    def _submission(self, found: re.Match[str]) -> str:
        """Submissions are numbered as they first appear, so that a mix-up shows."""
        return self._submissions.setdefault(found[0], f"<submission {len(self._submissions) + 1}>")


def rules(text: str) -> str:
    """The text by the rules alone; what they were applied to already stays as it is."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    text = _RUN.sub(lambda run: _MEASURED.sub(r"\1<measured>", run[0]), text)
    text = _CLIMBS.sub(lambda picture: without_numbers(picture[0]), text)
    text = _ALLOWED.sub(lambda line: line[1] + ", ".join(sorted(line[2].split(", "))), text)
    return _MOMENT.sub(_form, text)


def without_numbers(text: str) -> str:
    """The text of a report on this machine without its figures: sizes, versions, times."""
    return _NUMBER.sub("#", text)


def _form(found: re.Match[str]) -> str:
    clock = f"{found['t']}hh:mm" if found["t"] else ""
    seconds = ":ss" if found["s"] else ""
    return f"<date>{clock}{seconds}{'.f' if found['f'] else ''}"

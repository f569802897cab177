"""The reader's language: their account's, else a cookie of their choice, else what the browser asks
for. And their theme, a cookie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Flask, has_request_context, request
from flask_babel import Babel, get_locale

from leaderboard.messages import catalogues

LANGUAGES: Final = {"en": "English", "zh": "中文"}
LANGUAGE_COOKIE: Final = "language"
THEME_COOKIE: Final = "theme"
THEMES: Final = ("light", "dark")


def init_languages(
    app: Flask, default: str = "en", account_language: Callable[[], str] = lambda: ""
) -> None:
    """Give the application its translations; `default` is used where nothing else is asked for.

    `account_language` tells what the signed-in reader chose, "" if they did not.
    """

    def chosen() -> str:
        if not has_request_context():
            return default
        account = account_language()
        if account in LANGUAGES:
            return account
        cookie = request.cookies.get(LANGUAGE_COOKIE, "")
        if cookie in LANGUAGES:
            return cookie
        return request.accept_languages.best_match(list(LANGUAGES)) or default

    catalogues.compile_all()  # a fresh clone has none
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = "translations"
    Babel(app, locale_selector=chosen, default_locale=default)


def language() -> str:
    """Return the code of the language of this page."""
    locale = get_locale()
    return str(locale.language) if locale else "en"


def language_tag() -> str:
    """Return the same for the `lang` attribute, which picks the shapes of Han characters."""
    return {"zh": "zh-Hans"}.get(language(), language())


def theme() -> str:
    """Return light or dark if the reader chose one, else nothing: the system decides."""
    cookie = request.cookies.get(THEME_COOKIE, "")
    return cookie if cookie in THEMES else ""

"""Somebody with a browser: follows every link, fills forms in; each page is recorded."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
from story.site import Site

_LINK = re.compile(r'(?:href|src|data-rows-url)="(/[^"#]*)')
_FORM = re.compile(r'name="csrf_token" value="([^"]+)"')
_MOST_PAGES = 150


class Visitor:
    """A browser session of one person, or of nobody."""

    def __init__(
        self, site: Site, name: str = "nobody", language: str = "en", *, when: str
    ) -> None:
        self.site, self.name, self.language, self.when = site, name, language, when
        self._http = httpx.Client(
            base_url=site.url,
            trust_env=False,
            timeout=60,
            headers={"Accept-Language": language, "User-Agent": "story"},
        )

    def sign_in(self, email: str, password: str) -> None:
        """Sign in by the form."""
        self.post("/sign-in", email=email, password=password)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for a page and record it."""
        answer = self._http.get(path, headers=headers)
        note = "".join(f" [{name}: {value}]" for name, value in headers.items())
        self._keep("GET", path + note, answer)
        return answer

    def post(
        self, path: str, *, files: Any = None, accept: str = "text/html", **fields: Any
    ) -> httpx.Response:
        """Send a form, and go where it leads; both are recorded."""
        token = _FORM.search(self._http.get("/privacy").text)
        assert token is not None
        answer = self._http.post(
            path,
            data={"csrf_token": token[1], **fields},
            files=files,
            headers={"Accept": accept},
        )
        told = {name: value for name, value in fields.items() if "password" not in name}
        self._keep("POST", f"{path} {told}", answer)
        if answer.is_redirect:
            self.get(answer.headers["location"].partition("#")[0])
        return answer

    def post_unfollowed(self, path: str) -> None:
        """Send a form that starts something: the page that it leads to would tell how far it is."""
        token = _FORM.search(self._http.get("/privacy").text)
        assert token is not None
        self._keep("POST", path, self._http.post(path, data={"csrf_token": token[1]}))

    def forget(self, cookie: str) -> None:
        """Drop a cookie."""
        self._http.cookies.delete(cookie)

    def post_without_token(self, path: str) -> None:
        """Send a form as another site would."""
        self._keep("POST", f"{path} without a form's token", self._http.post(path))

    def walk(self, *starts: str) -> None:
        """Record every page that links lead to, from some starts on."""
        waiting, seen = list(starts), set(starts)
        while waiting:
            answer = self.get(waiting.pop(0))
            for link in [answer.headers.get("location", ""), *_links(answer)]:
                path = html.unescape(link).removeprefix(self.site.url).partition("#")[0]
                if path.startswith("/") and path not in seen | self.site.static:
                    (self.site.static if path.startswith("/static/") else seen).add(path)
                    waiting.append(path)
            assert len(seen) < _MOST_PAGES, waiting[-10:]

    def _keep(self, method: str, path: str, answer: httpx.Response) -> None:
        self.site.keep(
            f"{method} {path} as {self.name} ({self.language}), {self.when}", self.site.told(answer)
        )


def _links(answer: httpx.Response) -> list[str]:
    is_page = "text/html" in answer.headers.get("content-type", "")
    return _LINK.findall(answer.text) if is_page else []

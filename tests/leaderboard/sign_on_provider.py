"""A real OpenID Connect provider as a program: prints its address, serves until it is stopped.

The package that it is made of does not know PKCE (RFC 7636); a layer in front of it does, unless
`--no-proof` is given. Its own process, since it uses what its libraries call deprecated.
"""

from __future__ import annotations

import base64
import hashlib
import io
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import oidc_provider_mock
from werkzeug.serving import make_server

ANN = {"email": "ann@example.edu", "email_verified": True, "name": "Ann Lee"}
PEOPLE: dict[str, dict[str, object]] = {
    "ann": ANN,
    "impostor": {**ANN, "email_verified": False},
    "word": {**ANN, "email_verified": "true"},
    "silent": {"email": "ann@example.edu"},
    "new": {"email": "New@Example.edu", "email_verified": True, "name": "New One"},
}


class ProofKeys:
    """Gives a token only for the verifier of the challenge that its code was asked with."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._challenges: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        query = parse_qs(environ["QUERY_STRING"])
        if environ["PATH_INFO"] == "/oauth2/token" and not self._is_proved(environ):
            start("400 BAD REQUEST", [("Content-Type", "application/json")])
            return [b'{"error": "invalid_grant"}']

        def remember(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            location = dict(headers).get("Location", "")
            for code in parse_qs(urlsplit(location).query).get("code", []):
                assert query["code_challenge_method"] == ["S256"]
                self._challenges[code] = query["code_challenge"][0]
            return start(status, headers, *rest)

        return self._app(environ, remember)

    def _is_proved(self, environ: dict[str, Any]) -> bool:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(body)
        fields = parse_qs(body.decode())
        digest = hashlib.sha256(fields.get("code_verifier", [""])[0].encode()).digest()
        made = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return self._challenges.pop(fields["code"][0], None) == made


if __name__ == "__main__":
    people = [oidc_provider_mock.User(sub=sub, claims=claims) for sub, claims in PEOPLE.items()]
    app = oidc_provider_mock.app(require_nonce=True, user_claims=people)
    served = app if "--no-proof" in sys.argv else ProofKeys(app)
    server = make_server("127.0.0.1", 0, served, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()

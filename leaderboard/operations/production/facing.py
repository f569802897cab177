"""How the server faces the world: its address, who stands in front, slow senders, mail."""

from __future__ import annotations

import ipaddress
import socket
import time
from typing import Final

from leaderboard.operations import doctor
from leaderboard.operations.doctor import Finding
from leaderboard.state import State

# our own server waits ten seconds for a request's headers; a thread that waits holds others up
_PATIENCE_SECONDS: Final = 20.0
_CONNECT_SECONDS: Final = 3.0
_HALF_A_REQUEST: Final = b"GET /healthz HTTP/1.1\r\nHost: doctor\r\nX-Half: "


def address(state: State) -> Finding:
    """Users come by https: else passwords and cookies can be read on the way."""
    url = state.settings.public_url
    if state.settings.secure_cookies:
        return Finding(name="address", ok=True, required=True, sentence=f"{url}; cookies by https")
    return Finding(
        name="address",
        ok=False,
        required=True,
        sentence=f"{url or 'none is set'}: passwords and cookies go over the line as they are",
        action="put a proxy with TLS in front and set LEADERBOARD_PUBLIC_URL=https://…",
    )


def proxies(state: State) -> Finding:
    """As many proxies are believed as stand in front, and nobody passes them by."""
    settings = state.settings
    trusted = settings.trusted_proxies
    if settings.secure_cookies and not trusted:
        return Finding(
            name="proxies",
            ok=False,
            required=True,
            sentence="https ends at a proxy, and none is believed: everybody has its address, so "
            "that one person's wrong passwords and floods shut all others out",
            action="set LEADERBOARD_TRUSTED_PROXIES to how many stand in front (most often 1)",
        )
    if trusted and not _is_loopback(settings.host):
        return Finding(
            name="proxies",
            ok=False,
            required=False,
            sentence=f"{trusted} believed, and the server listens on {settings.host}: whoever "
            "reaches its port past the proxy can claim any address",
            action="listen on 127.0.0.1 (LEADERBOARD_HOST), or let the proxy alone reach the port",
        )
    return Finding(name="proxies", ok=True, required=True, sentence=f"{trusted} believed")


def slow_senders(state: State) -> Finding:
    """Half a request is sent to the server that runs: it must be cut off, and hold nobody up."""
    host = "127.0.0.1" if state.settings.host in ("0.0.0.0", "") else state.settings.host  # noqa: S104 - compared, not bound
    shown = f"{host}:{state.settings.port}"
    try:
        held = _held_seconds(host, state.settings.port)
    except OSError as error:
        return Finding(
            name="slow senders",
            ok=False,
            required=False,
            sentence=f"not tried: nothing answers at {shown} ({error})",
            action="start the server (leaderboard serve), then ask again on its machine",
        )
    if held is None:
        return Finding(
            name="slow senders",
            ok=False,
            required=True,
            sentence=f"half a request to {shown} was still open after {_PATIENCE_SECONDS:.0f} s: "
            "some hundred of them silence the site",
            action="start it by `leaderboard serve`, whose server bounds them, or have every "
            "request come by a front that buffers it (nginx does)",
        )
    sentence = f"half a request to {shown} was cut off after {held:.0f} s"
    return Finding(name="slow senders", ok=True, required=True, sentence=sentence)


def mail(state: State) -> Finding:
    """A mail server, or the word that there is none: sign-up, resets and notices go by it."""
    if state.settings.smtp_url:
        return doctor.mail(state)
    return Finding(
        name="mail",
        ok=False,
        required=True,
        sentence="no mail server is set: nobody can reset a password or is told of a decision",
        action="set LEADERBOARD_SMTP_URL; where none is wanted, set it to none: people then "
        "sign in by codes that staff print",
    )


def _held_seconds(host: str, port: int) -> float | None:
    """How long half a request is held open; None if longer than is good."""
    with socket.create_connection((host, port), _CONNECT_SECONDS) as sock:
        sock.sendall(_HALF_A_REQUEST)
        begun = time.monotonic()
        sock.settimeout(_PATIENCE_SECONDS)
        try:
            while sock.recv(4096):
                pass  # a refusal in words, before the end
        except TimeoutError:
            return None
        except ConnectionError:
            pass  # cut off as well
        return time.monotonic() - begun


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

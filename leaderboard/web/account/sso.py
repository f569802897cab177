"""Single sign-on by OpenID Connect: authorization code with PKCE, state and nonce (Authlib)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Blueprint, Flask, current_app, g, redirect, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from joserfc.errors import JoseError
from requests.exceptions import RequestException

from grader.words.message import said
from leaderboard.accounts import access, accounts, identities
from leaderboard.config import Settings
from leaderboard.db import utcnow
from leaderboard.errors import NotFound, OutOfService, SignInRefused
from leaderboard.state import current_state
from leaderboard.web.reading import local

sso_pages = Blueprint("sso", __name__)

_NEXT: Final = "sso_next"


def init_sso(app: Flask, settings: Settings) -> None:
    """Know the provider of the settings; its own description is read at the first sign-in."""
    oauth = OAuth(app)
    app.extensions["sso"] = oauth
    if settings.oidc_issuer:
        oauth.register(
            "provider",
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret,
            server_metadata_url=f"{settings.oidc_issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid email profile",
                "code_challenge_method": "S256",
                "timeout": 10,
            },
        )


@sso_pages.get("/sign-in/sso")
def begin() -> ResponseReturnValue:
    """Send the reader to the provider."""
    provider = _provider()
    cookie[_NEXT] = local(request.args.get("next"))
    back = _base() + url_for("sso.finish")
    try:
        answer: ResponseReturnValue = provider.authorize_redirect(back)
    except (AuthlibBaseError, RequestException) as error:
        raise _away(error) from error
    return answer


@sso_pages.get("/sign-in/sso/callback")
def finish() -> ResponseReturnValue:
    """The reader comes back: sign them in if the provider's signed word holds."""
    provider = _provider()
    target = cookie.pop(_NEXT, None)
    try:
        claims = provider.authorize_access_token().get("userinfo")
    except RequestException as error:
        raise _away(error) from error
    except (AuthlibBaseError, JoseError) as error:
        current_app.logger.warning("single sign-on was refused: %s", error)
        raise SignInRefused(said("sign_on.not_completed")) from error
    if not claims:
        raise SignInRefused(said("sign_on.not_completed"))
    signed_in = accounts.begin(
        g.session,
        _user(claims),
        user_agent=request.user_agent.string,
        now=utcnow(),
        lifetime=timedelta(days=current_state().settings.session_days),
    )
    access.begin_session(signed_in)
    return redirect(local(target), code=303)


def _user(claims: Mapping[str, Any]) -> Any:
    email = str(claims.get("email") or "")
    return identities.user_of_identity(
        g.session,
        issuer=str(claims["iss"]),
        subject=str(claims["sub"]),
        email=email,
        # the standard's boolean; the word "true", which some providers send, is not believed
        is_verified=claims.get("email_verified") is True,
        name=str(claims.get("name") or email.partition("@")[0]),
    )


def _provider() -> Any:
    if not current_state().settings.oidc_issuer:
        raise NotFound
    return current_app.extensions["sso"].provider


def _base() -> str:
    return current_state().settings.public_url or request.host_url.rstrip("/")


def _away(error: Exception) -> OutOfService:
    current_app.logger.error("the sign-on service cannot be reached: %s", error)
    return OutOfService(said("sign_on.away"), retry_after=30)

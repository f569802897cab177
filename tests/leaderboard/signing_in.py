"""A browser that is signed in, without the page of the password."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient
from small_site import PASSWORD


def signed_in(app: Flask, name: str) -> FlaskClient:
    client = app.test_client()
    if name != "anonymous":
        token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)
        assert token is not None
        fields = {
            "email": f"{name}@example.edu",
            "password": PASSWORD,
            "next": "/",
            "csrf_token": token[1],
        }
        assert client.post("/sign-in", data=fields).status_code == 303
    return client

"""A real OpenID provider for tests (npm's oidc-provider), and a program that has a person sign on there."""

import base64
import hashlib
import json
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest

MODULES = Path(sys.prefix) / "apart" / "openid"
SCRIPT = Path(__file__).with_suffix(".mjs")
CLIENT = "gradewatch"
RULES = """
issuer = "{issuer}"
client_id = "{client}"
title = "the school's account"

[[rules]]
claim = "groups"
value = "it"
role = "admin"

[[rules]]
claim = "groups"
value = "staff"
role = "teacher"
domains = ["{domain}"]
groups_from = "groups"
prefix = "class:"

[[rules]]
claim = "groups"
value = "staff"
role = "viewer"
"""


class OpenIdProvider:
    """A started provider. issuer: its address; redirect: where it sends people back to."""

    def __init__(self, folder: Path, port: int, redirect: str) -> None:
        self.issuer = f"http://localhost:{port}"
        self.redirect = redirect
        self._folder = folder
        self._accounts = folder / "accounts.json"
        self.tell({})

    def tell(self, accounts: Mapping[str, Mapping[str, Any]]) -> None:
        """Whom it knows, and what it says of them from now on."""
        self._accounts.write_text(json.dumps(accounts))

    def rules(self, domain: str) -> Path:
        """A file of sign-on by this provider."""
        file = self._folder / "sign-on.toml"
        file.write_text(RULES.format(issuer=self.issuer, client=CLIENT, domain=domain))
        return file

    def id_token(self, name: str) -> str:
        """What a program gets that has `name` sign on: code flow with PKCE, by the provider's own pages."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"client_id": CLIENT, "response_type": "code", "scope": "openid profile", "redirect_uri": self.redirect,
                 "code_challenge": challenge, "code_challenge_method": "S256", "nonce": "n-0S6_WzA2Mj"}  # fmt: skip
        with httpx.Client(base_url=self.issuer) as browser:
            answer = browser.get("/auth", params=asked)
            while not (place := answer.headers.get("location", "")).startswith(self.redirect):
                if place:
                    answer = browser.get(urljoin(str(answer.url), place))
                    continue
                assert answer.status_code == 200, answer.text
                action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
                assert action, answer.text
                fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w*)"', answer.text))
                answer = browser.post(action[1], data={**fields, "login": name, "password": "any"})
            code = parse_qs(urlsplit(place).query)["code"][0]
            given = {"grant_type": "authorization_code", "code": code, "client_id": CLIENT,
                     "redirect_uri": self.redirect, "code_verifier": verifier}  # fmt: skip
            told = browser.post("/token", data=given)
            assert told.status_code == 200, told.text
            return str(told.json()["id_token"])


def _absent() -> NoReturn:
    pytest.skip("the OpenID provider is not installed (it needs node): make apart-openid does that")


@contextmanager
def openid_provider(folder: Path, port: int, redirect: str) -> Iterator[OpenIdProvider]:
    """The provider, until the end of the context. Skips where node or the package is missing."""
    if (node := shutil.which("node")) is None or not (MODULES / "node_modules" / "oidc-provider").exists():
        _absent()
    provider = OpenIdProvider(folder, port, redirect)
    command = [node, str(SCRIPT), str(MODULES), str(port), CLIENT, redirect, str(folder / "accounts.json")]
    with (folder / "provider.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        assert b"listening" in process.stdout.readline(), (folder / "provider.log").read_text()
        yield provider
    finally:
        process.terminate()
        process.communicate()

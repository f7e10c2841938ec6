"""Sign-on at the dashboard: its server asks the institution's OpenID provider; this says which one, and who came back.

The server is Streamlit's, whose `st.login` does it by Authlib (code flow with PKCE, state and nonce) and keeps what the
ID token said in a cookie that it signs. What the claims are worth here is `access.sign_on`'s.
"""

import hashlib
import hmac
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import streamlit as st
from streamlit.runtime.secrets import secrets_singleton

from access.sign_on import BadSignOn, SignOn
from clock import now
from errors import MissingExtra

ADDRESS = "oauth2callback"
"""Where the provider sends people back to, below the dashboard's own address."""

NO_SECRET = "none"  # noqa: S105 - Streamlit asks for one, and of a client without any it is not sent
CLOCKS_APART = 60.0  # seconds by which the provider's clock may differ


def offer_sign_on(told: SignOn, *, secret: str, dashboard_url: str, key: bytes) -> SignOn:
    """Have the server of this process know the provider. secret: the client's, "" where it has none. key: of which the
    one that signs cookies is made. Raises BadSignOn, MissingExtra."""
    if not dashboard_url:
        raise BadSignOn("set GRADEWATCH_DASHBOARD_URL: the provider sends people back to it")
    if find_spec("authlib") is None:
        raise MissingExtra("sign-on at the dashboard", "sign-on")
    public = {} if secret else {"token_endpoint_auth_method": "none"}  # by PKCE alone
    section: dict[str, Any] = {
        "redirect_uri": f"{dashboard_url.rstrip('/')}/{ADDRESS}",
        "cookie_secret": hmac.new(key, b"cookie of the dashboard", hashlib.sha256).hexdigest(),
        "client_id": told.client_id,
        "client_secret": secret or NO_SECRET,
        "server_metadata_url": f"{told.issuer.rstrip('/')}/.well-known/openid-configuration",
        "client_kwargs": {
            "scope": told.scope,
            "prompt": [],
            **public,
        },  # no prompt: who is signed in there goes through
    }
    secrets_singleton.merge_programmatic_secrets({"auth": section})
    return told


def claims_of_visitor(told: SignOn, *, within: float) -> Mapping[str, Any] | None:
    """What the provider said of whoever looks, no longer ago than `within` seconds; None where nobody signed on. The
    cookie lives for a month, which is no reason to believe it for so long."""
    claims = st.user.to_dict()
    if not claims.get("is_logged_in") or claims.get("iss") != told.issuer or "sub" not in claims:
        return None
    return claims if seconds_since(claims) <= within else None


def seconds_since(claims: Mapping[str, Any]) -> float:
    """How long ago the provider said this."""
    issued = claims.get("iat")
    ago = now().timestamp() - issued if isinstance(issued, int | float) else float("inf")
    return ago if ago >= -CLOCKS_APART else float("inf")

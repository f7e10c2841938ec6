"""A service that asks who they are, and how tests ask it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt

from access.keys import create_key
from access.records import Grant
from access.roles import ROLES, Role
from access.users import add_user, link_user
from api.app import create_app
from database.records import Access
from tests.api.serving import Server

TOKEN_SECRET = "a secret for tokens that is long enough"
PASSWORD = "correct horse battery"
ON = {"GRADEWATCH_AUTH": "on", "GRADEWATCH_TOKEN_SECRET": TOKEN_SECRET, "GRADEWATCH_RATE_LIMIT": "100000/minute",
      "GRADEWATCH_STUDENT_VIEW": "on"}  # fmt: skip
GROUP = "3 / Data Structures"


class Guarded:
    """A service that asks who they are, with a key of every role that keys have."""

    def __init__(self, server: Server, *, domains: tuple[str, ...] = ()) -> None:
        """domains: beside those that ship."""
        self.server = server
        self.domains = ["engagement", "university", "school", *domains]
        self.keys = {role: self.key(f"a-{role}", role) for role, row in ROLES.items() if not row.linked}
        self.until_known(self.keys["admin"])

    def key(
        self, name: str, role: Role, *, groups: tuple[str, ...] = (), domains: tuple[str, ...] = (), **how: Any
    ) -> str:
        with self.server.store() as store:
            grant = Grant(role=role, domains=domains, groups=groups)
            return create_key(store, name, grant, domains=self.domains, actor="test", **how)[1]

    def user(self, name: str, role: Role) -> None:
        with self.server.store() as store:
            add_user(store, name, Grant(role=role), PASSWORD, domains=[], actor="test")

    def linked(self, name: str, role: Role, student: str = "", **granted: Any) -> str:
        """The token of a user who is linked to a student (a pseudonym)."""
        with self.server.store() as store:
            user = add_user(store, name, Grant(role=role, **granted), PASSWORD, domains=self.domains, actor="test")
            if student:
                user = link_user(store, name, student, domains=["university"], actor="test")
        return self.token(name, user.revision)

    def ask(self, method: str, path: str, key: str | None = None, **options: Any) -> httpx.Response:
        headers = options.pop("headers", {}) | ({"authorization": f"Bearer {key}"} if key else {})
        return self.server.client.request(method, path, headers=headers, **options)

    def until_known(self, key: str) -> None:
        self.server.until(lambda: self.ask("GET", "/api/v1/domains", key).status_code != 401)

    def until_refused(self, key: str) -> httpx.Response:
        answers: list[httpx.Response] = []

        def refused() -> bool:
            answers.append(self.ask("GET", "/api/v1/domains", key))
            return answers[-1].status_code == 401

        self.server.until(refused)
        return answers[-1]

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return self.server.client.post("/api/v1/token", data={"username": name, "password": password})

    def token(self, name: str, revision: int = 1) -> str:
        """A token of a user, as soon as the service knows the user as of that revision: a change ends older tokens."""

        def signed() -> str:
            token = self.sign_in(name).json().get("access_token", "")
            known = token and jwt.decode(token, options={"verify_signature": False})["rev"]
            return token if known and known >= revision else ""

        return str(self.server.until(signed))

    def entries(self, **about: Any) -> list[Access]:
        with self.server.store() as store:
            return store.accesses(**about)

    def recorded(self, holds: Callable[[Access], bool]) -> Access:
        """The newest entry that `holds`, as soon as there is one; while many are refused, that is in a minute."""
        found: Access = self.server.until(
            lambda: next((e for e in self.entries(limit=1000) if holds(e)), None), patience=100
        )
        return found


def claims(**changes: Any) -> dict[str, Any]:
    at = int(time.time())
    good = {"iss": "gradewatch", "aud": "gradewatch", "sub": "anna", "iat": at, "exp": at + 600, "rev": 1}
    return {name: value for name, value in (good | changes).items() if value is not None}


def forged(secret: str = TOKEN_SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), secret, algorithm=algorithm)


def every_route() -> Iterator[Any]:
    """The application's routes, also those that newer versions of the framework keep within their routers."""
    for one in create_app().framework().routes:
        yield from one.original_router.routes if hasattr(one, "original_router") else [one]


def read(answer: Any, path: str) -> list[Any]:
    """What a caller reads at a dotted path; `[]` is each of a list. Raises KeyError, TypeError."""
    first, _, rest = path.partition(".")
    found = answer[first.removesuffix("[]")]
    each = found if first.endswith("[]") else [found]
    return [value for one in each for value in (read(one, rest) if rest else [one])]

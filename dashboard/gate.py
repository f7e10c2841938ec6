"""Who looks at the dashboard: signs visitors in where they have to say who they are.

The users are the service's own and so is the table of permissions (`access`). What each may see is `dashboard.visit`'s.
"""

import threading
import time
from collections.abc import Callable

import streamlit as st

from access.directory import Directory, Stale
from access.journal import Action, note
from access.origin import Origin, find_fault
from access.records import User
from access.roles import LOCAL, Forbidden, Permission, Principal, Unauthenticated
from access.roles import require as require_of
from access.sign_on import signed_on
from access.users import is_password
from clock import now
from dashboard.shared_workspace import SharedWorkspace
from dashboard.sign_on import claims_of_visitor
from errors import GradewatchError
from language import _
from settings import is_loopback

SESSION, REFUSED_ON = "signed in", "refused at sign-on"
FRESH_SECONDS = 600.0  # for which a sign-on stands for a password that is asked for once more
SIGN_IN_TRIES, WINDOW = 10, 60.0  # attempts to sign in under one name, and the seconds in which they are counted
FORWARDING_HEADERS = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"})
UNKNOWN = "anonymous"  # the name under which attempts of names that nobody has are recorded
LONGEST_NAME = 64  # characters of a user's name; what else is typed is counted by its beginning
TYPED_NAMES, OTHERS = 10_000, ""  # names counted by themselves in a window, more than passwords can be checked in it

_hashing = threading.Semaphore(2)  # passwords at once: each takes a core and 19 MiB


class Tries:
    """Counts attempts to sign in by the name that was typed, whether or not there is such a user, for the whole
    process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._begun = clock()
        self._counts: dict[str, int] = {}

    def take(self, name: str) -> bool:
        """Whether one more is within the limit. Names beyond TYPED_NAMES are counted together."""
        name = name[:LONGEST_NAME]
        with self._lock:
            if self._clock() - self._begun >= WINDOW:
                self._begun, self._counts = self._clock(), {}
            if name not in self._counts and len(self._counts) >= TYPED_NAMES:
                name = OTHERS
            self._counts[name] = self._counts.get(name, 0) + 1
            return self._counts[name] <= SIGN_IN_TRIES


_tries = Tries()


class _Session:
    """Who signed in here. revision: of the user's record then; seen: when the session was last used; signed_on: when,
    by a provider (seconds since 1970), None by a password."""

    def __init__(self, user: User, signed_on: float | None = None) -> None:
        self.user = user.name
        self.revision = user.revision
        self.signed_on = signed_on
        self.seen = time.monotonic()


def visitor(shared: SharedWorkspace) -> Principal | None:
    """Whoever looks, as of now; None where nobody has signed in, or not lately, or the user has changed since."""
    if shared.directory is None:
        return LOCAL
    session = st.session_state.get(SESSION) or _begin_by_sign_on(shared, shared.directory)
    if not isinstance(session, _Session):
        return None
    known = shared.directory.user(session.user)
    idle = time.monotonic() - session.seen > shared.idle_seconds
    if known is None or known.user.disabled is not None or known.user.revision != session.revision or idle:
        st.session_state.clear()
        return None
    session.seen = time.monotonic()
    return known.principal


def require(shared: SharedWorkspace, permission: Permission, domain: str | None = None) -> Principal:
    """Whoever looks, if they still may: what a button does is asked about when it is pressed, not when it was drawn.

    Raises Forbidden.
    """
    present = visitor(shared.refreshed())
    if present is None:
        raise Forbidden(_("your session is over; sign in again"))
    require_of(present, permission, domain)
    return present


def confirm(shared: SharedWorkspace, password: str) -> None:
    """That whoever looks knows their own password, or signed on by a provider just now; where nobody signs in, none is
    asked. Raises Unauthenticated."""
    session = st.session_state.get(SESSION)
    if shared.directory is None or not isinstance(session, _Session):
        return
    if session.signed_on is not None:
        if now().timestamp() - session.signed_on > FRESH_SECONDS:
            raise Unauthenticated(_("sign out and in again: this takes a sign-in of the last ten minutes"))
        return
    known = shared.directory.user(session.user)
    if not _tries.take(session.user):
        raise _too_many()
    with _hashing:
        right = is_password(known.user if known else None, password)
    if not right:
        record(shared, "refused", reason="Unauthenticated", status=401)
        raise Unauthenticated(_("that is not your password"))


def record(shared: SharedWorkspace, action: Action, domain: str | None = None, **details: object) -> None:
    """Record that whoever looks does this. Raises StoreUnavailable: then it must not be done."""
    present = visitor(shared)
    note(shared.workspace.store, present.name if present else UNKNOWN, action, domain, page="dashboard", **details)


def refuse_strangers(shared: SharedWorkspace) -> bool:
    """Whether this visitor was turned away: one who called by another name or from another site's page; and one from
    elsewhere, where nobody has to say who they are."""
    if (fault := _origin_fault(shared)) is not None:
        st.error(str(fault()), icon=":material/lock:")
        return True
    if shared.directory is not None:
        return False
    address = st.context.ip_address  # of the connection itself; no text: this machine
    forwarded = any(name.lower() in FORWARDING_HEADERS for name in st.context.headers)
    if not forwarded and (not isinstance(address, str) or is_loopback(address)):
        return False
    told = _(
        "**This dashboard answers its own machine only**, since it asks nobody who they are. To let others in, set "
        "`GRADEWATCH_AUTH=on` and `GRADEWATCH_TOKEN_SECRET`, and add users with `gradewatch users add`."
    )
    st.error(told, icon=":material/lock:")
    return True


def _origin_fault(shared: SharedWorkspace) -> type[GradewatchError] | None:
    """As the API finds it, of the request that opened this session; a script without one is asked by nobody."""
    headers = st.context.headers
    if not headers:
        return None
    names, origins = headers.get_all("host"), headers.get_all("origin")
    asked = Origin(
        names[0] if len(names) == 1 else "",
        origins[0] if origins else "",
        headers.get("sec-fetch-site", ""),
        trusted=len(origins) < 2,
    )
    return find_fault(asked, shared.hosts)


def sign_in(shared: SharedWorkspace) -> None:
    """Draw the form that asks who looks."""
    st.title("Gradewatch", anchor=False)
    if shared.sign_on is not None:
        title = shared.sign_on.title or shared.sign_on.issuer.partition("://")[2]
        st.button(_("Sign in with {name}").format(name=title), type="primary", on_click=st.login)
    with st.form("sign in", width=420):
        st.text_input(_("User name"), key="sign in name")
        st.text_input(_("Password"), type="password", key="sign in password")
        st.form_submit_button(_("Sign in"), type="primary", on_click=_try, args=(shared,))
    if said := st.session_state.pop("sign in refused", None):
        st.error(said, icon=":material/lock:")


def _too_many() -> Unauthenticated:
    return Unauthenticated(_("too many attempts; wait a minute"))


def sign_out() -> None:
    """Forget who looks, with everything that was shown to them; whoever signed on by a provider signs out there too."""
    session = st.session_state.get(SESSION)
    st.session_state.clear()
    if isinstance(session, _Session) and session.signed_on is not None:
        st.logout()


def has_password() -> bool:
    """Whether whoever looks signed in by a password."""
    session = st.session_state.get(SESSION)
    return isinstance(session, _Session) and session.signed_on is None


def _try(shared: SharedWorkspace) -> None:
    session = st.session_state
    name, password = session.get("sign in name", ""), session.pop("sign in password", "")
    session["sign in password"] = ""
    try:
        _enter(shared.refreshed(), name, password)
    except (Unauthenticated, Stale) as error:
        session["sign in refused"] = str(error)


def _enter(shared: SharedWorkspace, name: str, password: str) -> None:
    """Begin a session. Raises Unauthenticated, Stale, StoreUnavailable."""
    assert shared.directory is not None  # noqa: S101 - the form is drawn only then
    if not _tries.take(name):
        raise _too_many()
    known = shared.directory.user(name)
    actor = known.principal.name if known else UNKNOWN
    with _hashing:
        right = is_password(known.user if known else None, password)
    if known is None or not right:
        note(shared.workspace.store, actor, "refused", reason="Unauthenticated", status=401, page="dashboard")
        raise Unauthenticated(_("No user of that name and password may sign in."))
    note(shared.workspace.store, actor, "signed in", page="dashboard")
    st.session_state[SESSION] = _Session(known.user)


def _begin_by_sign_on(shared: SharedWorkspace, directory: Directory) -> _Session | None:
    """A session of whom the provider has just named; None where it named nobody, or somebody who may not come in. That
    is said once, and the visit goes on as a stranger's."""
    state, told = st.session_state, shared.sign_on
    claims = claims_of_visitor(told, within=shared.idle_seconds) if told else None
    if told is None or claims is None or state.get(REFUSED_ON) == claims["iat"]:
        return None
    store = shared.workspace.store
    try:
        user, changed = signed_on(store, told, claims, shared.workspace.schemas)
    except Unauthenticated as error:
        actor, said = error.actor or UNKNOWN, _("You are known there, but may not come in here: ask whoever runs this.")
        note(store, actor, "refused", reason="Unauthenticated", status=401, page="dashboard", words=str(error))
        state[REFUSED_ON], state["sign in refused"] = claims["iat"], said
        return None
    note(store, user.principal().name, "signed in", page="dashboard", by="sign-on")
    if changed:
        directory.refresh()
    state[SESSION] = session = _Session(user, claims["iat"])
    return session

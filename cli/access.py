"""Who may do what: `gradewatch keys …`, `users …` and `accesses`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.apps import app, keys_app, users_app
from cli.inputs import actor, opened_workspace
from cli.options import USER_ROLES, Domains, Groups, KeyRole, OneDomain, RoleOption
from cli.output import err, out
from settings import OFF, Settings

if TYPE_CHECKING:
    from access.records import Grant
    from model.workspace import Workspace


@keys_app.command("create")
def keys_create(
    name: str,
    role: KeyRole,
    domain: Domains = None,
    group: Groups = None,
    expires: Annotated[str | None, typer.Option(help="How long it lives: 90d, 12h, 4w; for ever if not given.")] = None,
    rate: Annotated[str | None, typer.Option(help="Its own limit, as 100/minute.")] = None,
) -> None:
    """Make an API key and show it, once: only its hash is kept."""
    from access.keys import create_key, lifetime_of

    lifetime = lifetime_of(expires) if expires else None
    grant, rate = _grant(role, domain, group), _rate(rate)
    with opened_workspace() as workspace:
        _require_groups(workspace, grant)
        key, text = create_key(
            workspace.store, name, grant, domains=workspace.schemas, actor=actor(), lifetime=lifetime, rate=rate
        )
    typer.echo(text)
    until = f"until {key.expires:%Y-%m-%d %H:%M} UTC" if key.expires else "until it is revoked"
    err.print(f"key {name} ({grant}) is good {until}. This is the only time that it is shown.")


@keys_app.command("list")
def keys_list() -> None:
    """List every key that there is or was; never the keys themselves."""
    from access.render import keys_table

    with opened_workspace() as workspace:
        out.print(keys_table(workspace.store))


@keys_app.command("revoke")
def keys_revoke(name: str) -> None:
    """End a key: every worker refuses it at its next look, within GRADEWATCH_POLL_SECONDS."""
    from access.keys import revoke_key

    with opened_workspace() as workspace:
        key = revoke_key(workspace.store, name, actor=actor())
    out.print(f"key {name} revoked at {key.revoked:%Y-%m-%d %H:%M:%S} UTC")


@users_app.command("add")
def users_add(name: str, role: RoleOption, domain: Domains = None, group: Groups = None) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    from access.users import add_user

    grant = _grant(role, domain, group)
    with opened_workspace() as workspace:
        _require_groups(workspace, grant)
        add_user(workspace.store, name, grant, _password(), domains=workspace.schemas, actor=actor())
    out.print(f"user {name} ({grant}) may sign in")


@users_app.command("list")
def users_list() -> None:
    """List every user."""
    from access.render import users_table

    with opened_workspace() as workspace:
        out.print(users_table(workspace.store))


@users_app.command("change")
def users_change(
    name: str,
    role: Annotated[str | None, typer.Option("--role", "-r", help=USER_ROLES)] = None,
    domain: Domains = None,
    group: Groups = None,
    all_domains: Annotated[
        bool, typer.Option("--all-domains", help="No longer confined to domains or groups.")
    ] = False,
    all_groups: Annotated[bool, typer.Option("--all-groups", help="No longer confined to groups.")] = False,
) -> None:
    """Give a user another role, other domains or groups; what is not named stays. Their tokens and sessions end."""
    from access.records import changed_grant
    from access.users import find_user, set_grant

    domains, groups = [] if all_domains else domain, [] if all_domains or all_groups else group
    with opened_workspace() as workspace:
        grant = changed_grant(find_user(workspace.store, name).grant, role=role, domains=domains, groups=groups)
        _require_groups(workspace, grant)
        set_grant(workspace.store, name, grant, domains=workspace.schemas, actor=actor())
    out.print(f"user {name} is now: {grant}")


@users_app.command("disable")
def users_disable(name: str) -> None:
    """Shut a user out; their tokens and sessions end."""
    from access.users import disable_user

    with opened_workspace() as workspace:
        disable_user(workspace.store, name, actor=actor())
    out.print(f"user {name} is shut out")


@users_app.command("enable")
def users_enable(name: str) -> None:
    """Let a disabled user in again."""
    from access.users import enable_user

    with opened_workspace() as workspace:
        enable_user(workspace.store, name, actor=actor())
    out.print(f"user {name} may sign in")


@users_app.command("password")
def users_password(name: str) -> None:
    """Change a user's password, asked for or read from standard input; their tokens and sessions end."""
    from access.users import set_password

    with opened_workspace() as workspace:
        set_password(workspace.store, name, _password(), actor=actor())
    out.print(f"password of {name} changed")


@users_app.command("link")
def users_link(
    name: str,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The student's key, as your files have it.")],
) -> None:
    """Let a user of the role student or guardian see what is said of one student; their tokens and sessions end."""
    from access.known import known_everywhere
    from access.users import link_user
    from preprocessing.validation.pii import pseudonym

    with opened_workspace() as workspace:
        student = pseudonym(key, workspace.secret)
        known = known_everywhere(workspace, student)
        link_user(workspace.store, name, student, domains=list(known), actor=actor())
    out.print(f"user {name} sees what is said of this student in {', '.join(known)}")
    if Settings().student_view == OFF:
        err.print("nobody of these roles may sign in yet: set GRADEWATCH_STUDENT_VIEW=on")


@users_app.command("unlink")
def users_unlink(name: str) -> None:
    """End a user's link to a student; their tokens and sessions end."""
    from access.users import unlink_user

    with opened_workspace() as workspace:
        unlink_user(workspace.store, name, actor=actor())
    out.print(f"user {name} is linked to no student")


@app.command()
def accesses(
    by: Annotated[str | None, typer.Option("--actor", help="As entries name it: user:anna, key:lms, local.")] = None,
    domain: OneDomain = None,
    action: Annotated[str | None, typer.Option(help='As entries name it: "refused", "signed in".')] = None,
    limit: Annotated[int, typer.Option(help="At most so many entries.")] = 50,
) -> None:
    """Show who looked at or changed what about students, signed in, or was refused, newest first."""
    from access.render import accesses_table

    with opened_workspace() as workspace:
        out.print(accesses_table(workspace.store.accesses(actor=by, domain=domain, action=action, limit=limit)))


def _grant(role: str, domains: list[str] | None, groups: list[str] | None) -> "Grant":
    from access.records import Grant, role_of

    return Grant(role=role_of(role), domains=tuple(domains or ()), groups=tuple(groups or ()))


def _require_groups(workspace: "Workspace", grant: "Grant") -> None:
    """Raises BadGrant where the grant's one domain cannot have such groups; other faults are found where it is kept."""
    from access.records import check_groups

    if len(grant.domains) == 1 and (schema := workspace.schemas.get(grant.domains[0])):
        check_groups(grant, schema.group)


def _rate(rate: str | None) -> str | None:
    from access.rates import parse_limit
    from access.records import BadGrant

    try:
        return rate if rate is None or parse_limit(rate) else None
    except ValueError as error:
        raise BadGrant(str(error)) from None


def _password() -> str:
    """A password that stands in no command line, where every user of the machine could read it."""
    if sys.stdin.isatty():
        return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")

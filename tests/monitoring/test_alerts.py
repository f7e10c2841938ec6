"""An alert is kept, then sent; it arrives once by each channel, signed and in order, also where receivers are down."""

import base64
import hashlib
import hmac
import json
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from cli.main import main
from database.open import open_store
from database.store import RecordStore
from monitoring.alerts import Alert, deliver, deliveries, is_waiting, post, sweep
from monitoring.channels import BadChannel, Channel, Message, NotDelivered, open_channels
from monitoring.render import deliveries_table, describe_state
from tests.monitoring.receivers import Hook, Inbox

NOW = datetime.now(UTC).replace(microsecond=0)
IT, HEAD = "it@school.example", "head@school.example"
SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a real secret").decode()


def alert(number: int = 1, at: datetime = NOW) -> Alert:
    body = {"kind": "transition", "from": "ok", "to": "drift"}
    return Alert(about=f"slot {number}", domain="school", subject=f"school {number}", text="It ä.\n", body=body, at=at)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordStore]:
    store = open_store(f"sqlite:///{tmp_path / 'gradewatch.db'}")
    yield store
    store.close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.stop()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    yield inbox
    inbox.stop()


def channels_to(hook: Hook | None = None, inbox: Inbox | None = None) -> dict[str, Channel]:
    mail = {"email": f"{IT}, {HEAD}", "smtp_url": inbox.url} if inbox else {}
    return open_channels(**({"webhook": hook.url, "secret": SECRET} if hook else {}), **mail)


def test_an_alert_arrives_once_by_each_channel_signed_and_with_the_same_id(
    store: RecordStore, hook: Hook, inbox: Inbox
) -> None:
    channels = channels_to(hook.start(), inbox.start())
    assert post(store, [alert()], channels) == 3
    assert post(store, [alert()], channels) == 0  # found again after a restart
    assert [one.state for one in deliver(store, channels, at=NOW)] == ["sent"] * 3
    assert deliver(store, channels, at=NOW + timedelta(hours=1)) == []
    ((headers, body),) = hook.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    told = hmac.new(b"thirty-two bytes of a real secret", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(told).decode()
    assert headers["path"] == "/hooks?from=gradewatch"
    assert json.loads(body) == {"id": alert().id, "text": "It ä.\n", "kind": "transition", "from": "ok", "to": "drift"}
    mail, other = inbox.got
    assert mail["Message-ID"] == f"<{alert().id}@gradewatch>"
    assert (mail["From"], {mail["To"], other["To"]}) == ("watch@school.example", {IT, HEAD})
    assert mail["Subject"] == "school 1"
    assert mail.get_content().strip() == "It ä."


def test_receivers_that_are_down_at_first_get_everything_later_in_order(
    store: RecordStore, hook: Hook, inbox: Inbox
) -> None:
    channels = channels_to(hook, inbox)
    post(store, [alert(1), alert(2, NOW + timedelta(microseconds=1))], channels)
    first = deliver(store, channels, at=NOW + timedelta(seconds=1))
    assert [(one.alert.subject, one.state) for one in first] == [("school 1", "waiting")] * 3  # the second held back
    assert all(one.error for one in first)
    hook.start()
    inbox.start()
    assert deliver(store, channels, at=NOW + timedelta(seconds=2)) == []  # not before the pause is over
    again = deliver(store, channels, at=NOW + timedelta(seconds=10))
    assert [one.state for one in again] == ["sent"] * 6
    assert [json.loads(body)["id"] for _, body in hook.got] == [alert(1).id, alert(2).id]
    assert [mail["Subject"] for mail in inbox.got if mail["To"] == HEAD] == ["school 1", "school 2"]
    assert not is_waiting(store, channels)


def test_pauses_grow_and_end(store: RecordStore, hook: Hook) -> None:
    hook.statuses = [503] * 100
    channels = channels_to(hook.start())
    post(store, [alert()], channels)
    at, pauses = NOW, []
    while (one := deliver(store, channels, at=at)[0]).state == "waiting":
        pauses.append(one.next - at)
        at = one.next
    assert pauses[:3] == [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20)]
    assert max(pauses) == timedelta(hours=1)
    assert (one.state, at - NOW > timedelta(days=3)) == ("given up", True)
    assert deliver(store, channels, at=at + timedelta(days=1)) == []


@pytest.mark.parametrize(
    ("status", "state"), [(400, "given up"), (307, "given up"), (429, "waiting"), (500, "waiting")]
)
def test_what_is_refused_for_good_is_not_tried_again_and_no_redirect_is_followed(
    store: RecordStore, hook: Hook, status: int, state: str
) -> None:
    hook.statuses = [status]
    channels = channels_to(hook.start())
    post(store, [alert()], channels)
    (one,) = deliver(store, channels, at=NOW)
    assert (one.state, one.error) == (state, f"http://127.0.0.1 answered {status}")
    assert hook.got == []


def test_a_mail_server_that_is_busy_gets_the_message_again(store: RecordStore, inbox: Inbox) -> None:
    inbox.replies = ["451 try later"]
    channels = channels_to(inbox=inbox.start())
    post(store, [alert()], channels)
    assert sorted(one.state for one in deliver(store, channels, at=NOW)) == ["sent", "waiting"]
    assert [one.state for one in deliver(store, channels, at=NOW + timedelta(minutes=1))] == ["sent"]
    assert sorted(mail["To"] for mail in inbox.got) == [HEAD, IT]  # each once


def test_a_receiver_who_is_refused_for_now_is_tried_again_alone_until_that_is_given_up(
    store: RecordStore, inbox: Inbox
) -> None:
    inbox.refused = {HEAD: "450 mailbox busy"}
    channels = channels_to(inbox=inbox.start())
    post(store, [alert()], channels)
    first = {one.to: one for one in deliver(store, channels, at=NOW)}
    assert {to: one.state for to, one in first.items()} == {IT: "sent", HEAD: "waiting"}
    assert describe_state(first[HEAD]) == f"waiting, next try {NOW + timedelta(seconds=5):%Y-%m-%d %H:%M} UTC"
    (again,) = deliver(store, channels, at=NOW + timedelta(minutes=1))
    assert (again.to, again.state, again.attempts) == (HEAD, "waiting", 2)
    (over,) = deliver(store, channels, at=NOW + timedelta(days=3, minutes=1))
    assert (over.to, describe_state(over)) == (HEAD, "given up after 3 days")
    assert [mail["To"] for mail in inbox.got] == [IT]
    inbox.refused = {}
    post(store, [alert(2)], channels)  # a new alert reaches whoever is taken again
    assert {one.to: one.state for one in deliver(store, channels, at=NOW)} == {IT: "sent", HEAD: "sent"}


def test_a_receiver_who_is_refused_for_good_is_told_of_in_the_list_and_keeps_nobody_waiting(
    store: RecordStore, inbox: Inbox
) -> None:
    inbox.refused = {IT: "550 no such user"}
    channels = channels_to(inbox=inbox.start())
    post(store, [alert(1), alert(2, NOW + timedelta(microseconds=1))], channels)
    deliver(store, channels, at=NOW + timedelta(seconds=1))
    assert [mail["Subject"] for mail in inbox.got if mail["To"] == HEAD] == ["school 1", "school 2"]
    refused = [one for one in deliveries(store) if one.to == IT]
    assert {describe_state(one) for one in refused} == {"given up at once: refused for good"}
    assert {one.error for one in refused} == {"127.0.0.1 refuses the receiver (550)"}
    console = Console(width=200)
    with console.capture() as listed:
        console.print(deliveries_table(refused))
    assert "given up at once: refused for good" in listed.get()


def test_what_waits_for_somebody_who_is_no_receiver_any_more_ends_too(store: RecordStore, inbox: Inbox) -> None:
    channels = channels_to(inbox=inbox)
    post(store, [alert()], channels)
    left = {name: channel for name, channel in channels.items() if channel.to == IT}
    assert [one.to for one in deliver(store, left, at=NOW)] == [IT]
    ended = {one.to: one for one in deliver(store, left, at=NOW + timedelta(days=4))}
    assert (ended[HEAD].state, ended[HEAD].attempts) == ("given up", 0)
    assert ended[HEAD].error == "no longer among the channels that are set"


def test_a_sender_that_died_after_sending_is_followed_by_one_that_sends_under_the_same_id(
    store: RecordStore, hook: Hook
) -> None:
    class Died(BaseException):
        pass

    class Mortal:
        name, to = "webhook", "somewhere"

        def send(self, message: Message, at: datetime) -> None:
            real.send(message, at)
            raise Died

    real = channels_to(hook.start())["webhook"]
    post(store, [alert()], {"webhook": real})
    with pytest.raises(Died):
        deliver(store, {"webhook": Mortal()}, at=NOW)
    assert deliver(store, {"webhook": real}, at=NOW + timedelta(seconds=30)) == []  # it may still be at it
    assert [one.state for one in deliver(store, {"webhook": real}, at=NOW + timedelta(seconds=61))] == ["sent"]
    assert {headers["webhook-id"] for headers, _ in hook.got} == {alert().id}


def test_two_senders_do_not_both_send(store: RecordStore, hook: Hook) -> None:
    class Rival:
        name, to = "webhook", "somewhere"

        def send(self, message: Message, at: datetime) -> None:
            assert deliver(store, channels, at=at) == []  # while this one is sending
            channels["webhook"].send(message, at)

    channels = channels_to(hook.start())
    post(store, [alert()], channels)
    deliver(store, {"webhook": Rival()}, at=NOW)
    assert len(hook.got) == 1


def test_certificates_are_checked(store: RecordStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    inbox = Inbox(tls=context).start()
    try:
        channels = open_channels(email=IT, smtp_url=inbox.url)
        post(store, [alert()], channels)
        (one,) = deliver(store, channels, at=NOW)
        assert (one.state, "CERTIFICATE_VERIFY_FAILED" in one.error) == ("waiting", True)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        (one,) = deliver(store, channels, at=NOW + timedelta(minutes=1))
        assert (one.state, inbox.encrypted) == ("sent", [True])
    finally:
        inbox.stop()


def test_old_alerts_are_forgotten(store: RecordStore, hook: Hook) -> None:
    old = alert(1, NOW - timedelta(days=401))
    post(store, [old, alert(2)], channels_to(hook))
    assert sweep(store, at=NOW) == 1
    assert [one.alert.subject for one in deliveries(store)] == ["school 2"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"webhook": "http://school.example/hook", "secret": SECRET}, "in the clear: use https"),
        ({"webhook": "ftp://school.example", "secret": SECRET}, "no address"),
        ({"webhook": "https://name:word@school.example", "secret": SECRET}, "without name and password"),
        ({"webhook": "https://school.example/hook"}, "GRADEWATCH_ALERT_SECRET"),
        ({"webhook": "https://school.example/hook", "secret": "whsec_not base64 at all"}, "no base64"),
        ({"secret": SECRET}, "GRADEWATCH_ALERT_WEBHOOK"),
        ({"email": "it@school.example"}, "GRADEWATCH_SMTP_URL"),
        ({"email": "it", "smtp_url": "smtp://mail.example"}, "no e-mail addresses"),
        ({"email": "it@school.example", "smtp_url": "mail.example:25"}, "smtps://"),
    ],
)
def test_settings_that_describe_no_channel_are_refused_without_showing_secrets(
    given: dict[str, str], words: str
) -> None:
    with pytest.raises(BadChannel) as refused:
        open_channels(**given)
    assert words in str(refused.value)
    assert "name:word" not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_both_channels_tell_their_faults_at_once() -> None:
    with pytest.raises(BadChannel, match=r"https; .*GRADEWATCH_SMTP_URL"):
        open_channels(webhook="http://school.example", secret=SECRET, email="it@school.example")
    assert open_channels() == {}


def test_nothing_goes_in_the_clear_to_another_machine(inbox: Inbox) -> None:
    address = inbox.start().url.replace("127.0.0.1", "0.0.0.0")  # this machine, by a name that does not say so
    (mail,) = open_channels(email=IT, smtp_url=address).values()
    with pytest.raises(NotDelivered, match="offers no TLS"):
        mail.send(Message("1", "subject", "text", {}), NOW)
    assert inbox.got == []


def test_the_commands_send_a_test_say_what_arrived_and_fail_when_nothing_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], hook: Hook
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("GRADEWATCH_DATA_DIR", str(tmp_path / "data"))
    assert ended(["alerts", "test"]) == 78
    assert "GRADEWATCH_ALERT_WEBHOOK" in capsys.readouterr().err
    monkeypatch.setenv("GRADEWATCH_ALERT_WEBHOOK", hook.start().url)
    monkeypatch.setenv("GRADEWATCH_ALERT_SECRET", SECRET)
    hook.statuses = [410]
    assert ended(["alerts", "test"]) == 1
    assert ended(["alerts", "test"]) == 0
    assert len(hook.got) == 1
    capsys.readouterr()
    assert ended(["alerts", "list"]) == 0
    listed = capsys.readouterr().out
    assert ("given up" in listed, "410" in listed, "sent" in listed) == (True, True, True)


def ended(command: list[str]) -> int:
    with pytest.raises(SystemExit) as end:
        main(command)
    return int(str(end.value.code or 0))

"""Where alerts go: a webhook, signed, and e-mail over TLS. What is sent, and when again, is `monitoring.alerts`'s.

Standard library only: `http.client`, `smtplib`, `ssl`. A channel sends once, waits ten seconds at most for each answer,
follows no redirect, and never sends in the clear to another machine.
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import ipaddress
import json
import smtplib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from errors import Category, GradewatchError

DELIVERY_SECONDS = 10.0
SHORTEST_ALERT_SECRET = 16  # characters
AGAIN_LATER = {408, 425, 429}  # of the answers 4xx: everything else there is for good


class BadChannel(GradewatchError):
    """Settings that describe no channel; the message says what to change."""

    category = Category.MISUSED


class NotDelivered(GradewatchError):
    """A message was not taken. final: trying again would not help."""

    category = Category.UNAVAILABLE

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


@dataclass(frozen=True)
class Message:
    """What is sent. id: the same for every try, by which a receiver knows a repetition. body: JSON-ready values."""

    id: str
    subject: str
    text: str
    body: Mapping[str, Any]


class Channel(Protocol):
    """A way to one receiver. name: tells it from the others, its first word is the kind; to: names the receiver.

    Neither holds a secret.
    """

    @property
    def name(self) -> str: ...
    @property
    def to(self) -> str: ...
    def send(self, message: Message, at: datetime) -> None:
        """Returns once the other side has taken the message. Raises NotDelivered."""


@dataclass(frozen=True)
class Webhook:
    """JSON by POST, signed as Standard Webhooks 1.0 says.

    `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature`: "v1," and the base64 HMAC-SHA256 of
    "id.timestamp.body" under the secret. A secret "whsec_…" holds its key as base64, any other is the key itself.
    """

    url: SplitResult
    key: bytes
    name: str = "webhook"

    @property
    def to(self) -> str:
        return f"{self.url.scheme}://{self.url.hostname}"

    def send(self, message: Message, at: datetime) -> None:
        body = json.dumps({"id": message.id, "text": message.text, **message.body}).encode()
        stamp = str(int(at.timestamp()))
        headers = {
            "content-type": "application/json",
            "user-agent": "gradewatch",
            "webhook-id": message.id,
            "webhook-timestamp": stamp,
            "webhook-signature": sign(self.key, message.id, stamp, body),
        }
        try:
            status = self._post(body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise NotDelivered(f"{self.to}: {_said(error)}") from error
        except ValueError as error:
            raise NotDelivered(f"{self.to}: {_said(error)}", final=True) from error
        if not 200 <= status < 300:
            final = 300 <= status < 500 and status not in AGAIN_LATER
            raise NotDelivered(f"{self.to} answered {status}", final=final)

    def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        host, port = self.url.hostname or "", self.url.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=DELIVERY_SECONDS, context=ssl.create_default_context())
            if self.url.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=DELIVERY_SECONDS)
        )
        try:
            query = f"?{self.url.query}" if self.url.query else ""
            connection.request("POST", (self.url.path or "/") + query, body, dict(headers))
            return connection.getresponse().status
        finally:
            connection.close()


def sign(key: bytes, id: str, stamp: str, body: bytes) -> str:
    """The signature header: what a receiver computes too, and compares in constant time."""
    told = hmac.new(key, f"{id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(told).decode()}"


@dataclass(frozen=True)
class Mail:
    """E-mail to one receiver. smtps:// speaks TLS from the start, smtp:// by STARTTLS; without only on this machine.

    Receivers get messages of their own, so that one who is refused keeps nobody waiting and is tried again alone. A
    message's id is its Message-ID, so that most programs show a repetition once.
    """

    server: SplitResult
    sender: str
    to: str

    @property
    def name(self) -> str:
        return f"email {self.to}"

    def send(self, message: Message, at: datetime) -> None:
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = message.subject, self.sender, self.to
        mail["Date"], mail["Message-ID"] = at, f"<{message.id}@gradewatch>"
        mail.set_content(message.text)
        try:
            self._hand_over(mail)
        except smtplib.SMTPAuthenticationError as error:
            raise NotDelivered(f"{self.server.hostname} refuses the name or password ({error.smtp_code})") from error
        except smtplib.SMTPRecipientsRefused as error:
            code = max(code for code, _ in error.recipients.values())
            raise NotDelivered(f"{self.server.hostname} refuses the receiver ({code})", final=code >= 500) from error
        except (OSError, smtplib.SMTPException) as error:
            raise NotDelivered(f"{self.server.hostname}: {_said(error)}") from error
        except ValueError as error:  # a name or password that SMTP cannot say
            raise NotDelivered(f"{self.server.hostname}: {type(error).__name__}", final=True) from error

    def _hand_over(self, mail: EmailMessage) -> None:
        host, context = self.server.hostname or "", ssl.create_default_context()
        if self.server.scheme == "smtps":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                host, self.server.port or 465, timeout=DELIVERY_SECONDS, context=context
            )
        else:
            client = smtplib.SMTP(host, self.server.port or 587, timeout=DELIVERY_SECONDS)
        with client:
            if self.server.scheme == "smtp":
                client.ehlo()
                if client.has_extn("starttls"):
                    client.starttls(context=context)
                elif not _is_loopback(host):
                    raise NotDelivered(f"{host} offers no TLS: nothing is sent in the clear", final=True)
            if self.server.username:
                client.login(unquote(self.server.username), unquote(self.server.password or ""))
            client.send_message(mail)


def open_channels(*, webhook: str = "", secret: str = "", email: str = "", smtp_url: str = "") -> dict[str, Channel]:
    """The channels that the settings describe, by name; none where nothing is set. Raises BadChannel: all faults."""
    problems: list[str] = []
    channels: list[Channel] = []
    for make, given in ((_webhook, (webhook, secret)), (_mails, (email, smtp_url))):
        if any(given):
            try:
                channels += make(*given)
            except (BadChannel, ValueError) as error:
                problems.append(str(error))
    if problems:
        raise BadChannel("; ".join(problems))
    return {channel.name: channel for channel in channels}


def _webhook(url: str, secret: str) -> list[Channel]:
    if not url:
        raise BadChannel("an alert secret without an alert webhook signs nothing: set GRADEWATCH_ALERT_WEBHOOK")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise BadChannel("the alert webhook is no address: write https://host/path, without name and password")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BadChannel("the alert webhook holds a space or a letter beyond ASCII: write it as %20, %C3%BC and so on")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise BadChannel("the alert webhook leads to another machine in the clear: use https")
    if len(secret) < SHORTEST_ALERT_SECRET:
        raise BadChannel(
            f"set GRADEWATCH_ALERT_SECRET to {SHORTEST_ALERT_SECRET} characters or more: it signs every alert"
        )
    return [Webhook(parts, _key(secret))]


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise BadChannel("the alert secret begins with whsec_ and goes on with something that is no base64") from error


def _mails(email: str, smtp_url: str) -> list[Channel]:
    receivers = list(dict.fromkeys(filter(None, (one.strip() for one in email.split(",")))))
    if not receivers or not smtp_url:
        raise BadChannel("alerts by e-mail need both GRADEWATCH_ALERT_EMAIL and GRADEWATCH_SMTP_URL")
    wrong = [one for one in receivers if one.count("@") != 1 or not one.isprintable() or " " in one]
    if wrong:
        raise BadChannel(f"{len(wrong)} of the alert's receivers are no e-mail addresses; separate them by commas")
    parts = urlsplit(smtp_url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise BadChannel("the SMTP address must be smtp://name:password@host:587 or smtps://name:password@host:465")
    told = parse_qs(parts.query).get("from", [])
    sender = told[0] if told else f"gradewatch@{socket.gethostname()}"
    return [Mail(parts, sender, receiver) for receiver in receivers]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _said(error: Exception) -> str:
    """What went wrong, in few words and on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]

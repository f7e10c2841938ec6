"""Whoever asks is read from one header and nothing else."""

from api.request.credentials import credential
from api.request.headers import RequestHeaders


def test_one_key_or_token_is_read_from_headers_and_nothing_else() -> None:
    assert credential(RequestHeaders([(b"host", b"a"), (b"authorization", b"Bearer abc")])) == b"abc"
    assert credential(RequestHeaders([(b"x-api-key", b"gw_abc")])) == b"gw_abc"
    assert credential(RequestHeaders([(b"host", b"a")])) is None

"""Access: who may see the debug pages, on which address."""

import pytest
from lowtide.publish.access import ENDED, MISSING, SESSION_SECONDS, WRONG, Access

NOW = 1_000_000.0
OPEN = Access("0.0.0.0", "s3cret")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9788", "localhost", "LOCALHOST:1", "[::1]:9788", "app.localhost:1"]
)
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
def test_loopback_is_open_to_who_names_this_machine(address, host):
    assert Access(address).refusal(host, "", "", NOW) == ""


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9788", "127.0.0.1.evil.example", "", "10.0.0.1"]
)
def test_a_name_that_was_rebound_to_loopback_is_refused(host):
    assert "doesn't name this machine" in Access("127.0.0.1").refusal(host, "", "", NOW)


def test_a_rebound_name_with_the_token_is_a_proxy_and_allowed():
    assert Access("127.0.0.1", "s3cret").refusal("app.example", "Bearer s3cret", "", NOW) == ""


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.1.2.3", "fe80::1%eth0", "/run/app.sock"])
def test_on_any_other_address_nobody_comes_in_without_a_token(address):
    reason = Access(address).refusal("localhost", "Bearer ", "", NOW)
    assert f"on {address!r} only with a token: set LOWTIDE_TOKEN" in reason


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("Bearer s3cret", ""),
        ("bearer  s3cret ", ""),
        ("", MISSING),
        ("Basic czNjcmV0", MISSING),
        ("Bearer", WRONG),
        ("Bearer s3cre", WRONG),
        ("Bearer s3crett", WRONG),
        ("Bearer ключ\ud800", WRONG),
    ],
)
def test_a_bearer_is_let_in_with_the_token_only(authorization, reason):
    assert OPEN.refusal("localhost", authorization, "", NOW) == reason


def test_a_session_lets_in_until_it_ends():
    session = OPEN.session(NOW)
    assert OPEN.refusal("h", "", session, NOW + SESSION_SECONDS - 1) == ""
    assert OPEN.refusal("h", "", session, NOW + SESSION_SECONDS + 1) == ENDED


def test_a_session_is_good_in_every_process_with_the_same_token_and_in_no_other():
    session = OPEN.session(NOW)
    assert Access("10.0.0.1", "s3cret").refusal("h", "", session, NOW) == ""
    assert Access("10.0.0.1", "other").refusal("h", "", session, NOW) == ENDED


@pytest.mark.parametrize(
    "session", ["x", ".", "99999999999.", "99999999999." + 64 * "0", "ключ.ключ", "²." + 64 * "0"]
)
def test_a_forged_session_is_refused(session):
    assert OPEN.refusal("h", "", session, NOW) == ENDED


def test_a_session_can_not_be_made_longer():
    ends, _, signature = OPEN.session(NOW).partition(".")
    assert OPEN.refusal("h", "", f"{int(ends) + 9}.{signature}", NOW) == ENDED


def test_the_cookie_does_not_tell_the_token():
    assert "s3cret" not in OPEN.session(NOW)


def test_without_a_token_no_candidate_is_the_token():
    assert not Access("0.0.0.0").is_token("")

"""Passwords: who is let in, at what price, and what a guess costs the others."""

import asyncio
import base64
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest
from lowtide.publish.basic_auth import MOST_WAITING, Busy, Doorkeeper

from tests.publish.guard.served import PATHS, USERS, get, hashed


@pytest.mark.parametrize("path", PATHS)
def test_without_a_password_nothing_on_the_port_is_served(served, path):
    status, headers, body = get(served(USERS), path)
    assert (status, headers["WWW-Authenticate"]) == (401, "Basic")
    assert b"answer" not in body


def test_the_right_password_is_let_in_and_all_others_are_not(served):
    server = served(USERS)
    assert b"answer 42.0" in get(server, user="prometheus", password="sesame")[2]
    for user, password in [("prometheus", "Sesame"), ("prometheus", ""), ("nobody", "sesame"), ("", "")]:
        for _ in range(2):  # and not on the second try either, when it is remembered
            assert get(server, user=user, password=password)[0] == 401


@pytest.mark.parametrize("header", ["Bearer sesame", "Basic", "Basic %%%", "Basic c2VzYW1l", "basic \u00e9"])
def test_a_header_that_is_no_basic_authentication_is_refused(served, header):
    server = served(USERS)
    request = urllib.request.Request(server.url, headers={"Authorization": header.encode().decode("latin-1")})
    with pytest.raises(urllib.error.HTTPError, match="401") as caught:
        urllib.request.urlopen(request, timeout=10)
    caught.value.close()


def test_a_password_is_checked_once_and_then_remembered_until_its_hash_changes():
    asked = []

    def check(password, stored):
        asked.append(password)
        return password == b"right"

    async def main():
        with ThreadPoolExecutor(1) as executor:
            keeper = Doorkeeper(executor, check)
            right, wrong, nobody = map(_basic, ("a:right", "a:wrong", "nobody:right"))
            for _ in range(3):
                assert await keeper.admits(right, {"a": "first hash"})
                assert not await keeper.admits(wrong, {"a": "first hash"})
                assert not await keeper.admits(nobody, {"a": "first hash"})
            assert asked == [b"right", b"wrong", b"right"]
            await keeper.admits(right, {"a": "second hash"})
            assert asked[3:] == [b"right"]

    asyncio.run(main())


def test_guessing_fills_no_queue_and_does_not_drive_out_who_was_let_in():
    gate = threading.Event()

    def check(password, stored):
        gate.wait()
        return password == b"right"

    async def main():
        with ThreadPoolExecutor(1) as executor:
            keeper = Doorkeeper(executor, check)
            gate.set()
            assert await keeper.admits(_basic("a:right"), {"a": "hash"})
            gate.clear()
            guesses = [
                asyncio.create_task(keeper.admits(_basic(f"a:{n}"), {"a": "hash"}))
                for n in range(MOST_WAITING)
            ]
            await asyncio.sleep(0)
            with pytest.raises(Busy):
                await keeper.admits(_basic("a:one more"), {"a": "hash"})
            assert await keeper.admits(_basic("a:right"), {"a": "hash"})
            gate.set()
            assert not any(await asyncio.gather(*guesses))
            for n in range(300):
                await keeper.admits(_basic(f"a:again {n}"), {"a": "hash"})
            gate.clear()  # a check would hang now
            async with asyncio.timeout(10):
                assert await keeper.admits(_basic("a:right"), {"a": "hash"})
            gate.set()

    asyncio.run(main())


def test_a_slow_check_holds_nobody_up_who_is_known(served):
    slow = bcrypt.hashpw(b"sesame", bcrypt.gensalt(12)).decode()
    server = served(f"basic_auth_users:\n  prometheus: {slow}\n")
    assert get(server, user="prometheus", password="sesame")[0] == 200
    guesses = [threading.Thread(target=get, args=(server, "/", "prometheus", f"{n}")) for n in range(8)]
    for guess in guesses:
        guess.start()
    for _ in range(5):
        assert get(server, user="prometheus", password="sesame")[0] == 200
    assert any(guess.is_alive() for guess in guesses), "the guesses take seconds, the known one none"
    for guess in guesses:
        guess.join()


def test_new_users_are_in_force_without_a_restart_and_a_broken_file_changes_nothing(served, tmp_path, caplog):
    server = served(USERS)
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users:\n  somebody: {hashed('else')}\n")
    assert get(server, user="somebody", password="else")[0] == 200
    assert get(server, user="prometheus", password="sesame")[0] == 401
    path.write_text("basic_auth_users: [")
    for _ in range(3):
        assert get(server, user="somebody", password="else")[0] == 200
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "the old one stays" in caplog.text
    assert "web.yml: not valid YAML" in caplog.text


def test_without_bcrypt_passwords_are_an_error_that_says_how_to_get_it(tmp_path):
    path = tmp_path / "web.yml"
    path.write_text(USERS)
    program = (
        f"import sys; sys.modules['bcrypt'] = None; import lowtide.publish.guard as g; g.Guard({str(path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError: basic_auth_users needs bcrypt: pip install 'lowtide[web]'" in done.stderr


def _basic(credentials):
    return "Basic " + base64.b64encode(credentials.encode()).decode()

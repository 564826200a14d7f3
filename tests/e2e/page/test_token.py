"""Who may see the page: the token, the form and its cookie, and the name of the host."""

import http.client
import urllib.parse
import urllib.request

import pytest

from tests.ashore import shore
from tests.e2e.page.looks import heading_of

PATHS = (
    "tasks",
    "tasks.json",
    "tasks.txt",
    "tasks.folded",
    "threads",
    "pauses",
    "tide.json",
    "tasks/x",
    "nothing",
)


@pytest.mark.parametrize("path", PATHS)
def test_on_another_address_no_page_answers_without_the_token(guarded, path):
    status, body, _ = guarded.get(f"/debug/{path}")
    assert (status, body) == (
        403,
        "this page needs the token: send it as 'Authorization: Bearer …', or sign in\n",
    )
    status, body, _ = guarded.get(f"/debug/{path}", Authorization="Bearer guess")
    assert (status, "not the token" in body) == (403, True)


def test_the_bearer_of_the_token_is_answered(guarded):
    assert guarded.get("/debug/tasks.json", Authorization="Bearer s3cret")[0] == 200


def test_metrics_stay_open(guarded):
    assert guarded.get("/metrics")[0] == 200


def test_metrics_are_protected_too_where_that_is_wanted():
    with shore("empty", "--host=0.0.0.0", LOWTIDE_TOKEN="s3cret", LOWTIDE_PROTECT_METRICS="true") as running:
        assert running.get("/metrics")[0] == 403
        assert running.get("/metrics", Authorization="Bearer s3cret")[0] == 200


def test_without_any_token_another_address_says_how_to_set_one():
    with shore("empty", "--host=0.0.0.0") as running:
        status, body, _ = running.get("/debug/tasks")
        assert status == 403
        assert "set LOWTIDE_TOKEN" in body
        assert running.get("/metrics")[0] == 200


def _sign_in(running, token):
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    form = urllib.parse.urlencode({"token": token}).encode()
    host = urllib.parse.urlsplit(running.url)
    client = http.client.HTTPConnection(host.hostname, host.port)
    client.request("POST", "/debug/sign-in", form, {"Content-Type": "application/x-www-form-urlencoded"})
    response = client.getresponse()
    response.read()
    client.close()
    return response


def test_who_signs_in_gets_a_strict_cookie_that_is_not_the_token(guarded):
    response = _sign_in(guarded, "s3cret")
    cookie = response.headers["Set-Cookie"]
    assert response.status == 303
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
    assert "s3cret" not in cookie
    assert guarded.get("/debug/tasks", Cookie=cookie.partition(";")[0])[0] == 200


def test_who_guesses_gets_no_cookie(guarded):
    response = _sign_in(guarded, "guess")
    assert (response.status, response.headers["Set-Cookie"]) == (403, None)


def test_a_request_that_names_another_host_is_refused(leaks):
    host = urllib.parse.urlsplit(leaks.url).netloc
    client = http.client.HTTPConnection(host)
    client.request("GET", "/debug/tasks", headers={"Host": "evil.example"})
    response = client.getresponse()
    assert response.status == 403
    assert b"doesn't name this machine" in response.read()
    client.close()


def test_signing_in_with_the_token_opens_the_page_and_signing_out_closes_it(page):
    with shore("empty", "--host=0.0.0.0", LOWTIDE_TOKEN="s3cret") as running:
        page.goto(f"{running.url}/debug/tasks")
        assert "this page needs the token" in page.get_by_role("alert").inner_text()
        page.get_by_label("Token").fill("guess")
        page.keyboard.press("Enter")
        page.get_by_text("this is not the token").wait_for()
        page.get_by_label("Token").fill("s3cret")
        page.keyboard.press("Enter")
        page.wait_for_url("**/debug/tasks")
        assert heading_of(page).endswith("No sign of a leak")
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert "s3cret" not in cookie["value"]
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Token").wait_for()
        page.goto(f"{running.url}/debug/tasks")
        assert page.get_by_role("alert").is_visible()
        page.troubles[:] = [
            each for each in page.troubles if "403" not in each
        ]  # Chromium logs refused pages

"""The demo, audited as a person does it: the reduced form of ``make bench``'s audits."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.benchmarks.audit import GUILTY, ROUTE, accused, audited, failed


@pytest.fixture(scope="module")
def reports():
    names = [*GUILTY, "fixed"]
    with ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(audited, names), strict=True))


@pytest.mark.parametrize("shape", GUILTY)
def test_the_guilty_route_is_named_in_the_first_round_and_no_other_is_accused(reports, shape):
    assert accused(reports[shape]) == [(ROUTE, GUILTY[shape], 1)]


def test_the_fixed_service_is_clean(reports):
    assert (accused(reports["fixed"]), reports["fixed"]["status"]) == ([], 0)


@pytest.mark.parametrize("name", [*GUILTY, "fixed"])
def test_all_twenty_routes_run_as_they_should(reports, name):
    assert (len(reports[name]["flows"]), failed(reports[name])) == (20, [])

"""Every alert fires on its case and not on its look-alikes, in promtool's rule tests."""

import collections

import pytest

from tests.alerts import leaks, others, tickets
from tests.alerts.case import complaint

CASES = (*leaks.CASES, *tickets.CASES, *others.CASES)

pytestmark = pytest.mark.usefixtures("promtool")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.fact}")
def test_promtool_agrees_with(case, tmp_path):
    said = complaint(case, tmp_path)
    assert not said, said


def test_every_alert_has_a_case_that_fires_and_two_look_alikes():
    fires = collections.Counter(case.alert for case in CASES if case.fires)
    quiet = collections.Counter(case.alert for case in CASES if not case.fires)
    assert {alert for alert in fires if quiet[alert] < 2} == set()
    assert set(quiet) == set(fires)

"""The deployment's name and version, where nobody gives them."""

from types import ModuleType, SimpleNamespace

import pytest
from lowtide.attach.deployment import deployment

NOBODY = ModuleType("__main__")


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        (("promo", "2"), {"OTEL_SERVICE_NAME": "x"}, ("promo", "2")),
        (("", ""), {"OTEL_SERVICE_NAME": "promo"}, ("promo", "")),
        (
            ("", ""),
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=pro%20mo,service.version=1.4,x=,=y,z"},
            ("pro mo", "1.4"),
        ),
        (
            ("", "3"),
            {"OTEL_SERVICE_NAME": "first", "OTEL_RESOURCE_ATTRIBUTES": "service.name=second"},
            ("first", "3"),
        ),
        (("", ""), {}, ("", "")),
    ],
)
def test_variables_of_opentelemetry_come_next(given, environ, expected):
    assert deployment(*given, environ, NOBODY) == expected


def test_the_distribution_of_main_comes_last():
    main = SimpleNamespace(__spec__=SimpleNamespace(name="pytest.__main__"))
    assert deployment("", "", {}, main) == ("pytest", pytest.__version__)


def test_a_console_script_belongs_to_its_distribution():
    main = SimpleNamespace(__spec__=None, __file__="/somewhere/bin/pytest")
    assert deployment("", "", {}, main) == ("pytest", pytest.__version__)


def test_a_service_of_another_name_does_not_get_the_distributions_version():
    main = SimpleNamespace(__spec__=SimpleNamespace(name="pytest.__main__"))
    assert deployment("promo", "", {}, main) == ("promo", "")

"""Settings: three sources, and errors that name file, key, value and what is allowed."""

from pathlib import Path

import pytest
from lowtide.expected import reason_for
from lowtide.settings import UNSET, load


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "lowtide.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return {"LOWTIDE_CONFIG": str(path)}

    return write


def test_without_anything_the_defaults_hold():
    settings = load({}, {})
    assert (settings.host, settings.port, settings.aged_after, settings.max_origins) == (
        "127.0.0.1",
        9788,
        600.0,
        100,
    )


def test_arguments_win_over_the_environment_and_that_over_the_file(config):
    environ = config("service: file\nversion: 1.4\nport: 1\nhost: from.file\n") | {
        "LOWTIDE_SERVICE": "environment",
        "LOWTIDE_PORT": "2",
    }
    settings = load({"service": None, "port": 3, "host": UNSET}, environ)
    assert (settings.service, settings.version, settings.port, settings.host) == (
        "environment",
        "1.4",
        3,
        "from.file",
    )


@pytest.mark.parametrize("value", ["10m", "600", "600s", "0.166666666666666667h"])
def test_a_duration_may_have_a_unit(value):
    assert load({}, {"LOWTIDE_AGED_AFTER": value}).aged_after == pytest.approx(600)


def test_the_path_of_a_web_configuration_can_come_from_every_source(config):
    assert load({}, {"LOWTIDE_WEB_CONFIG": "/etc/web.yml"}).web_config == "/etc/web.yml"
    assert load({}, config("web_config: web.yml")).web_config == "web.yml"
    assert load({"web_config": Path("web.yml")}, {}).web_config == "web.yml"
    with pytest.raises(ValueError, match="web_config should be the path of a web configuration file, is 3"):
        load({"web_config": 3}, {})


def test_a_port_can_be_none_in_every_source(config):
    assert load({"port": None}, {}).port is None
    assert load({}, {"LOWTIDE_PORT": "none"}).port is None
    assert load({}, config("port: null")).port is None


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"LOWTIDE_PORT": "http"}, r"environment: LOWTIDE_PORT should be a number from 0 .*, is 'http'"),
        ({"LOWTIDE_PORT": "65536"}, "is '65536'"),
        ({"LOWTIDE_AGED_AFTER": "-1"}, "environment: LOWTIDE_AGED_AFTER should be seconds above 0"),
        ({"LOWTIDE_AGED_AFTER": "9" * 400}, "should be seconds above 0"),
        ({"LOWTIDE_MAX_ORIGINS": "0"}, "a whole number from 1 to 10000, is '0'"),
        (
            {"LOWTIDE_PROT": "1"},
            "environment: unknown setting 'LOWTIDE_PROT' .*: allowed are service, version",
        ),
    ],
)
def test_a_wrong_variable_is_an_error_that_names_it(environ, message):
    with pytest.raises(ValueError, match=message):
        load({}, environ)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot: 1", "lowtide.yml: unknown setting 'prot'"),
        ("port: true", "lowtide.yml: port should be .*, is True"),
        ("service: [a]", r"lowtide.yml: service should be text, is \['a'\]"),
        ("max_origins: 2.5", "lowtide.yml: max_origins should be .*, is 2.5"),
        ("aged_after: .nan", "lowtide.yml: aged_after should be"),
        ("- a", "lowtide.yml: should be a mapping of settings, is list"),
        ("a: [", "lowtide.yml: not valid YAML: .*line 1"),
        (b"\xff\xfe\x00", "lowtide.yml: not valid YAML"),
        ("a: &a [*a]\n? {x: *a}\n: 1", "lowtide.yml"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_it(config, text, message):
    with pytest.raises(ValueError, match=message):
        load({}, config(text))


def test_a_wrong_argument_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"install\(\): max_origins should be a whole number .*, is -1"):
        load({"max_origins": -1}, {})


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.yml"):
        load({}, {"LOWTIDE_CONFIG": str(tmp_path / "no.yml")})


def test_variables_that_kubernetes_sets_for_a_service_called_lowtide_are_not_ours():
    environ = {
        "LOWTIDE_PORT": "tcp://10.0.0.1:9788",
        "LOWTIDE_PORT_9788_TCP": "tcp://10.0.0.1:9788",
        "LOWTIDE_PORT_9788_TCP_ADDR": "10.0.0.1",
        "LOWTIDE_SERVICE_HOST": "10.0.0.1",
        "LOWTIDE_SERVICE_PORT": "9788",
        "LOWTIDE_SERVICE_PORT_METRICS": "9788",
    }
    assert load({}, environ).port == 9788


def test_a_token_is_never_shown():
    settings = load({}, {"LOWTIDE_TOKEN": "s3cret"})
    assert settings.token == "s3cret"
    assert "s3cret" not in repr(settings)
    with pytest.raises(ValueError, match="token should be text, is something else"):
        load({"token": b"s3cret"}, {})


@pytest.mark.parametrize(("text", "value"), [("true", True), ("YES", True), ("0", False), ("off", False)])
def test_metrics_are_protected_by_a_word(text, value):
    assert load({}, {"LOWTIDE_PROTECT_METRICS": text}).protect_metrics is value


def test_another_word_is_an_error_that_says_what_is_allowed():
    with pytest.raises(ValueError, match="LOWTIDE_PROTECT_METRICS should be true or false, is 'maybe'"):
        load({}, {"LOWTIDE_PROTECT_METRICS": "maybe"})


def test_expected_origins_are_a_mapping_to_reasons_or_a_list(config):
    as_mapping = 'expected: {"shop.rules:refresh made by shop.app:*": for the life of the process}'
    as_list = """
    expected:
      - origin: shop.rules:refresh
        spawner: shop.app:*
        reason: for the life of the process
    """
    read = load({}, config(as_mapping)).expected
    assert read == load({}, config(as_list)).expected
    assert reason_for(read, "shop.rules:refresh", "shop.app:main") == "for the life of the process"
    assert reason_for(read, "shop.rules:refresh", "shop.jobs:main") == ""
    assert reason_for(read, "shop.rules:refreshed", "shop.app:main") == ""


def test_expected_origins_may_be_an_argument():
    (expected,) = load({"expected": {"shop.*": "we know"}}, {}).expected
    assert (expected.coroutine, expected.spawner, expected.reason) == ("shop.*", "*", "we know")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("expected: 17", "lowtide.yml: expected should be a list of entries .*, or a mapping .*, is 17"),
        ("expected: [a:b]", r"lowtide.yml: expected\[0\] should be a mapping with the keys .*, is 'a:b'"),
        ("expected: [{origin: 'a:b'}]", r"lowtide.yml: expected\[0\]\.reason should be text .*, is None"),
        ("expected: {'a:b': ''}", r"lowtide.yml: expected\['a:b'\]\.reason should be text .*, is ''"),
        ("expected: {'a:b': 1}", r"lowtide.yml: expected\['a:b'\]\.reason should be text .*, is 1"),
        ("expected: {a: b}", r"lowtide.yml: expected\['a'\]\.origin should be module:function .*, is 'a'"),
        ("expected: [{reason: b}]", r"lowtide.yml: expected\[0\]\.origin should be .*, is None"),
        ("expected: [{origin: 'a:b', why: b}]", r"lowtide.yml: expected\[0\] should be .*, is {'origin'"),
        (
            "expected: [{origin: 'a:b', spawner: c, reason: b}]",
            r"lowtide.yml: expected\[0\]\.spawner should be module:function of who makes the task.*, is 'c'",
        ),
    ],
)
def test_a_wrong_entry_of_expected_is_an_error_that_names_it(config, text, message):
    with pytest.raises(ValueError, match=message):
        load({}, config(text))


def test_expected_origins_in_a_variable_are_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"environment: LOWTIDE_EXPECTED should be a list .*, is 'a:b'"):
        load({}, {"LOWTIDE_EXPECTED": "a:b"})


def test_flows_have_their_settings(config):
    settings = load({}, config("max_flows: 7") | {"LOWTIDE_STRAY_AFTER": "2m"})
    assert (settings.stray_after, settings.max_flows) == (120.0, 7)
    assert (load({}, {}).stray_after, load({}, {}).max_flows) == (30.0, 100)


@pytest.mark.parametrize("value", ["2001-99-99", "!!bool a", "!!timestamp a", "*" + "a" * 9000])
def test_a_value_that_yaml_cannot_construct_is_named_by_its_line(tmp_path, value):
    path = tmp_path / "lowtide.yaml"
    path.write_text(f"port: 0\nversion: {value}\n")
    with pytest.raises(ValueError, match=r"lowtide.yaml: not valid YAML: .*line 2"):
        load({}, {"LOWTIDE_CONFIG": str(path)})

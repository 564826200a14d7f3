"""Errors quote what is wrong in few words, whatever stands there, and say where."""

import re

import pytest
from lowtide import settings
from lowtide.alerting.settings import parse
from lowtide.expected import EntryError, expected
from lowtide.hunt import flowfile
from lowtide.hunt.ignores import Rules, parse_entries
from lowtide.publish import web_config
from lowtide.quoting import quoted
from lowtide.record.flows import checked

MEGABYTE = "x" * 1_000_000
HUGE = 10**5000
LONG = 700
"""Characters of an error: the list of all settings that are allowed takes half of them."""


@pytest.mark.parametrize("value", ["a", 5, None, {"b": [1], "a": "x"}, (1, 2), b"x", "é\n"])
def test_a_short_value_is_quoted_as_python_writes_it(value):
    assert quoted(value) == repr(value)


def bomb():
    text = ["x" * 50]
    for _ in range(40):
        text = [text] * 10
    return text


LARGE = {
    "a megabyte": MEGABYTE,
    "a number of 5000 digits": HUGE,
    "aliases of aliases": bomb(),
    "a large key": {MEGABYTE: "reason"},
    "a large number as key": {HUGE: HUGE},
    "large text in a list": [{"origin": MEGABYTE}],
    "a megabyte of bytes": MEGABYTE.encode(),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_large_value_is_quoted_in_a_hundred_characters(kind):
    assert len(quoted(LARGE[kind])) <= 101


@pytest.mark.parametrize("kind", LARGE)
@pytest.mark.parametrize("key", ["port", "aged_after", "expected", "no_such", "protect_metrics"])
def test_a_setting_that_is_wrong_is_named_in_few_words(key, kind):
    with pytest.raises(ValueError, match=rf"^install\(\): .*{key}") as raised:
        settings.load({key: LARGE[kind]}, {})
    assert len(str(raised.value)) < LONG


WHAT_YAML_CANNOT_READ = [
    b"2001-99-99", b"!!timestamp a", b"!!bool a", b"!!int a", b"0x_", b'"\\UFFFFFFFF"', b"[" * 2000, b"- " * 2000,
    b"*" + b"a" * 9000, b"!!set [a]", b"\xff\xfe\xff", b"0x" + b"f" * 9000,
]  # fmt: skip


@pytest.mark.parametrize("value", WHAT_YAML_CANNOT_READ, ids=lambda value: ascii(value[:20]))
@pytest.mark.parametrize("shape", [b"port: %b", b"? %b\n: 1"])
@pytest.mark.parametrize("kind", ["settings", "flows", "web"])
def test_a_file_that_yaml_cannot_read_is_named(tmp_path, kind, shape, value):
    path = tmp_path / "a.yaml"
    path.write_bytes(shape % value)
    read = {
        "settings": lambda: settings.load({}, {"LOWTIDE_CONFIG": str(path)}),
        "flows": lambda: flowfile.read(str(path)),
        "web": lambda: web_config.read(path),
    }[kind]
    with pytest.raises(ValueError, match=re.escape(str(path))) as raised:
        read()
    assert str(raised.value).startswith(str(path))
    assert len(str(raised.value)) < LONG + len(str(path))


@pytest.mark.parametrize(
    "assignment",
    ["bridge=٣m", "settle=" + "9" * 5000 + "m", "job=\udcff", "job=a\rb", 'selector=é="x"', MEGABYTE,
     MEGABYTE + "=1", "stray_floor=" + MEGABYTE, "ignore=" + "(" * 5000, "ignore=a{99999999999}", "a\nb=1",
     "runbooks=" + MEGABYTE],
    ids=lambda text: ascii(text[:20]),
)  # fmt: skip
def test_a_rule_setting_that_is_wrong_is_named_in_few_words(assignment):
    with pytest.raises(ValueError, match=r"^--set ") as raised:
        parse([assignment])
    assert len(str(raised.value)) < LONG
    str(raised.value).encode()


@pytest.mark.parametrize(
    "entry",
    [MEGABYTE, "a" + " " * 100_000 + "b", ":" * 100_000, "a :" * 50_000 + "a\nb: c"],
    ids=["text", "spaces", "colons", "lines"],
)
def test_an_ignore_that_is_long_is_refused_at_once_and_in_few_words(entry):
    with pytest.raises(ValueError, match="origin: reason") as raised:
        parse_entries([entry])
    assert len(str(raised.value)) < LONG


@pytest.mark.parametrize(("entry", "origin"), [(" a:b :  why: so ", "a:b"), ("a:b: c", "a:b"), (":: x", ":")])
def test_an_ignore_ends_its_origin_at_the_first_colon_before_a_space(entry, origin):
    assert list(parse_entries([entry])) == [origin]


@pytest.mark.parametrize(
    "given",
    [{"ignore": HUGE}, {"threads": [bomb()]}, {"settle": HUGE}, {"ignore": {HUGE: 1}}],
    ids=["ignore", "threads", "settle", "origin"],
)
def test_a_rule_of_tests_that_is_wrong_is_quoted_in_few_words(given):
    with pytest.raises(ValueError, match="should be") as raised:
        Rules(**given)
    assert len(str(raised.value)) < LONG


def test_a_flow_name_that_is_no_text_is_quoted_in_few_words():
    with pytest.raises(TypeError, match="flow name should be text, is <int of") as raised:
        checked(HUGE)
    assert len(str(raised.value)) < LONG


def test_an_expected_origin_that_is_long_is_quoted_in_few_words():
    with pytest.raises(EntryError, match="should be") as raised:
        expected({MEGABYTE: "reason"})
    assert len(str(raised.value)) < LONG


def test_a_regular_expression_is_read_without_the_warnings_of_python():
    assert parse(["ignore=[[a]"])["ignore"] == 'coroutine!~"[[a]"'

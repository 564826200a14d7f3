"""The merge of workers' pages: what stands in the whole, in both formats, whatever the labels are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowtide.publish.merge import Merged, labelled
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Summary, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

FORMATS = pytest.mark.parametrize(
    ("encode", "parse"), [(generate_latest, parse_text), (openmetrics, parse_openmetrics)], ids=["text", "om"]
)
EMPTY = CollectorRegistry()


def page_of(encode, *registries):
    merged = Merged()
    for number, registry in enumerate(registries):
        merged.add(encode(registry), number)
    return merged.text(encode(EMPTY))


def samples_of(parse, page):
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(page.decode())
        for sample in family.samples
    }


def every_kind():
    registry = CollectorRegistry()
    Gauge("level", "Level.", registry=registry).set(1.5)
    Counter("hits", "Hits.", ["path"], registry=registry).labels('/a{b="c"}, worker="9"} 1\n# HELP').inc(3)
    Histogram("wait", "Wait.", registry=registry, buckets=(0.1, 1)).observe(0.5, {"trace": "7"})
    Summary("size", "Size.", registry=registry).observe(4)
    Info("build", "Build.", registry=registry).info({"version": "1"})
    return registry


@FORMATS
def test_every_sample_of_every_worker_is_there_once_with_its_number(encode, parse):
    registry = every_kind()
    alone = samples_of(parse, encode(registry))
    merged = samples_of(parse, page_of(encode, registry, registry))
    assert merged == {
        (name, labels | {("worker", str(number))}): value
        for (name, labels), value in alone.items()
        for number in (0, 1)
    }


@FORMATS
def test_help_and_type_stand_once(encode, parse):
    page = page_of(encode, every_kind(), every_kind())
    heads = [line for line in page.splitlines() if line.startswith(b"# ") and line != b"# EOF"]
    assert len(heads) == len(set(heads))


def test_openmetrics_keeps_its_exemplar_and_ends_once():
    page = page_of(openmetrics, every_kind(), every_kind())
    assert page.count(b"# EOF\n") == 1
    assert page.endswith(b"# EOF\n")
    assert b'wait_bucket{worker="1",le="1.0"} 1.0 # {trace="7"} 0.5' in page


def test_a_metric_that_one_worker_has_is_that_workers():
    mine, other = CollectorRegistry(), CollectorRegistry()
    Gauge("mine", "Mine.", registry=mine).set(1)
    Gauge("other", "Other.", registry=other).set(2)
    assert samples_of(parse_text, page_of(generate_latest, mine, other)) == {
        ("mine", frozenset({("worker", "0")})): 1,
        ("other", frozenset({("worker", "1")})): 2,
    }


def test_an_applications_own_worker_label_is_exported_as_prometheus_does_it():
    registry = CollectorRegistry()
    gauge = Gauge("jobs", "Jobs.", ["exported_worker", "worker", "say"], registry=registry)
    gauge.labels("a", "b", 'x,worker="c"').set(1)
    (labels,) = [dict(labels) for _, labels in samples_of(parse_text, page_of(generate_latest, registry))]
    assert labels == {
        "exported_exported_worker": "a",
        "exported_worker": "b",
        "say": 'x,worker="c"',
        "worker": "0",
    }


def test_a_value_that_ends_like_a_label_of_ours_is_left_alone():
    registry = CollectorRegistry()
    Gauge("jobs", "Jobs.", ["a", "b"], registry=registry).labels("x,worker=", "y").set(1)
    (labels,) = [dict(labels) for _, labels in samples_of(parse_text, page_of(generate_latest, registry))]
    assert labels == {"a": "x,worker=", "b": "y", "worker": "0"}


def test_names_in_quotes_and_empty_braces_get_the_label_too():
    assert labelled(b'{"a.b",c="d"} 1\n{"e.f"} 2\ng{} 3\n', 4) == (
        b'{"a.b",worker="4",c="d"} 1\n{"e.f",worker="4"} 2\ng{worker="4"} 3\n'
    )


def test_a_family_of_another_type_is_left_out_and_named():
    first, second = CollectorRegistry(), CollectorRegistry()
    Gauge("size", "Size.", registry=first).set(1)
    Summary("size", "Size.", registry=second).observe(2)
    merged = Merged()
    merged.add(generate_latest(first), 0)
    merged.add(generate_latest(second), 1)
    assert merged.left_out == {"size"}
    assert b"size_sum" not in merged.text(b"")


@pytest.mark.parametrize("page", [b"\x1f\x8b", b"<html>", b"a 1\n", b"# HELP a\n"])
def test_what_is_no_page_is_an_error_that_shows_its_begin(page):
    with pytest.raises(ValueError, match="should begin with HELP and TYPE, is b'"):
        Merged().add(page, 0)


@settings(max_examples=300, deadline=None)
@given(
    names=st.sets(st.sampled_from(["worker", "exported_worker", "a", "le_", "q"]), min_size=1),
    values=st.lists(
        st.text(st.sampled_from('{}",\\=\nworker# HELP1 \u00e9\u2028\r')), min_size=5, max_size=5
    ),
)
def test_whatever_the_label_values_are_they_come_through(names, values):
    registry = CollectorRegistry()
    given = dict(zip(sorted(names), values, strict=False))
    Gauge("g", "G.", list(given), registry=registry).labels(**given).set(1)
    (labels,) = [dict(labels) for _, labels in samples_of(parse_openmetrics, page_of(openmetrics, registry))]
    taken = "worker" in given  # else there is no need to rename anything
    renamed = {
        f"exported_{name}" if taken and name.endswith("worker") else name: value
        for name, value in given.items()
    }
    assert labels == renamed | {"worker": "0"}

"""Rows: which findings a request wants."""

import pytest
from lowtide.judge.counts import OriginCount
from lowtide.judge.findings import finding
from lowtide.publish.page.rows import Query, evidence_of, key_of, page_of, query_of
from lowtide.record.origins import Origin


def _finding(coroutine="promo:ask", *, aged=0, stranded=0, cancel_only=0):
    count = OriginCount(Origin(coroutine, "promo:price"), 9, aged, aged, 0, 0, 30.0)
    return finding(count, {"unwakeable": stranded, "cancel_only": cancel_only}, None, None)


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        (Query(), True),
        (Query(origin="ASK"), True),
        (Query(origin="price"), True),
        (Query(origin="other"), False),
        (Query(evidence="aged"), True),
        (Query(evidence="stranded"), False),
        (Query(evidence="stray"), False),
        (Query(flow="GET /cart"), False),
    ],
)
def test_a_query_matches_by_origin_flow_and_evidence(query, matches):
    assert query.matches(_finding(aged=2)) is matches


@pytest.mark.parametrize(
    ("counts", "evidence"),
    [
        ({"stranded": 1, "aged": 5}, "stranded"),
        ({"aged": 5, "cancel_only": 5}, "aged"),
        ({"cancel_only": 1}, "cancel_only"),
    ],
)
def test_the_strongest_evidence_is_named(counts, evidence):
    assert evidence_of(_finding(**counts)) == evidence


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"evidence": "none"}, "evidence should be one of stranded, stray, aged, cancel_only, is 'none'"),
        ({"offset": "-1"}, "offset should be a whole number up to 10000000, is '-1'"),
        ({"offset": "²"}, "is '²'"),
        ({"limit": "101"}, "limit should be a whole number up to 100"),
        ({"limit": "9" * 5000}, "limit should be"),
    ],
)
def test_a_query_that_is_not_allowed_is_an_error_that_says_so(given, error):
    with pytest.raises(ValueError, match="should be") as caught:
        query_of(given)
    assert error in str(caught.value)


def test_pages_follow_each_other_without_gap():
    rows = list(range(250))
    pages = [page_of(rows, query_of({"offset": str(offset)})) for offset in (0, 100, 200)]
    assert [row for page in pages for row in page] == rows


def test_a_link_keeps_the_filters():
    assert Query(origin="a&b", evidence="aged").link(100) == "origin=a%26b&evidence=aged&offset=100"


def test_a_key_is_of_both_names():
    keys = {key_of(Origin("a", "b")), key_of(Origin("b", "a")), key_of(Origin("a\ud800", "b"))}
    assert len(keys) == 3
    assert all(len(key) == 12 for key in keys)

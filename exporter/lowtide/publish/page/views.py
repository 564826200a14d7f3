"""Views: each page and text of /debug, from the facts of one moment. Called in threads of the server's."""

from collections.abc import Callable, Iterable

from lowtide.judge.findings import Finding
from lowtide.judge.stacks import Stacks
from lowtide.publish.page.charts import bands, heat_of, lines_of, shares_of
from lowtide.publish.page.document import document, tide_document
from lowtide.publish.page.drawing import draw
from lowtide.publish.page.headline import headline_of, tide_in_words, totals_of
from lowtide.publish.page.numbers import BAR, blocked_rows, pause_rows
from lowtide.publish.page.rows import EVIDENCE, Query, evidence_of, flows_of, key_of, page_of, stray_of
from lowtide.publish.page.shared import Shared
from lowtide.publish.page.source import Facts, Outline, Source
from lowtide.publish.page.template import finding_page, pauses_page, tasks_page, threads_page
from lowtide.publish.page.text import cut, folded_lines, grouped, note_of, one_by_one
from lowtide.record.watcher import Breath

_MOST_FLOWS = 200
_MOST_THREADS = 300


class Views:
    """All views of one source. Each is found out at most once a second and shared by all who ask."""

    def __init__(self, source: Source, shared: Shared | None = None) -> None:
        self._source = source
        self._shared = shared or Shared()

    def tasks(self, query: Query, *, signed_in: bool) -> bytes:
        """Render the first page."""
        return self._shared.ask(("tasks", query, signed_in), lambda: self._tasks(query, signed_in=signed_in))

    def _tasks(self, query: Query, *, signed_in: bool) -> bytes:
        outline = self._outline()
        facts, findings = outline.facts, outline.findings
        matching = _matching(findings, query)
        rows = self._source.sampled(page_of(matching, query))
        totals = totals_of(outline)
        headline = headline_of(facts, findings, totals)
        worst = headline.worst
        if worst is not None:
            worst = next((row for row in rows if row.origin == worst.origin), worst)
        pieces: dict[str, Callable[[], object]] = {
            "flows": lambda: sorted({flow for each in findings for flow in flows_of(each)})[:_MOST_FLOWS],
            "tide": lambda: lines_of(facts.columns),
            "tide_words": lambda: tide_in_words(facts),
            "heat": lambda: heat_of(facts.columns),
            "ages": lambda: _ages(facts),
        }
        return tasks_page(
            root="", tab="tasks", facts=facts, signed_in=signed_in, query=query, totals=totals, headline=headline,
            worst=worst, rows=rows, matching=len(matching), all=len(findings), evidence=EVIDENCE, bands=bands(),
            origins=outline.largest, still=_still(facts), key_of=key_of, evidence_of=evidence_of,
            stray_of=stray_of, flows_of=flows_of,
            **{name: piece() for name, piece in Breath().between(pieces.items())},
        )  # fmt: skip

    def finding(self, key: str, *, signed_in: bool) -> bytes | None:
        """Render one finding from near, by its key or its fingerprint; None if there is no such finding now."""
        found = next(
            (each for each in self._outline().findings if key in {key_of(each.origin), each.fingerprint}),
            None,
        )
        if found is None:
            return None
        return self._shared.ask(
            ("finding", key, signed_in), lambda: self._finding(found, signed_in=signed_in)
        )

    def _finding(self, found: Finding, *, signed_in: bool) -> bytes:
        study = self._source.study(found)
        facts = self._facts()
        return finding_page(
            root="../", tab="tasks", facts=facts, signed_in=signed_in, found=study.finding, study=study,
            drawing=draw(study.knot) if study.knot else None, still=_still(facts),
            evidence=evidence_of(found), stray=stray_of(found), flows=flows_of(found),
        )  # fmt: skip

    def threads(self, *, signed_in: bool) -> bytes:
        """Render the threads."""

        def find() -> bytes:
            facts, threads = self._facts(), self._source.threads()
            return threads_page(
                root="", tab="threads", facts=facts, signed_in=signed_in, threads=threads[:_MOST_THREADS],
                count=len(threads), still=_still(facts),
            )  # fmt: skip

        return self._shared.ask(("threads", signed_in), find)

    def pauses(self, *, signed_in: bool) -> bytes:
        """Render the collections and the blocked loops."""

        def find() -> bytes:
            facts = self._facts()
            return pauses_page(
                root="", tab="pauses", facts=facts, signed_in=signed_in, pauses=pause_rows(facts),
                blocked=blocked_rows(facts), shares=shares_of(facts.columns), bar=BAR, still=_still(facts),
            )  # fmt: skip

        return self._shared.ask(("pauses", signed_in), find)

    def document(self, query: Query) -> bytes:
        """Write the findings as JSON."""

        def find() -> bytes:
            outline = self._outline()
            totals = totals_of(outline)
            matching = _matching(outline.findings, query)
            headline = headline_of(outline.facts, outline.findings, totals)
            rows = self._source.sampled(page_of(matching, query))
            return _encode(document(outline.facts, headline, totals, rows, len(matching)))

        return self._shared.ask(("json", query), find)

    def tide(self) -> bytes:
        """Write the tide as JSON, for the chart that moves."""
        return self._shared.ask("tide", lambda: tide_document(self._facts()).encode())

    def text(self, level: int) -> bytes:
        """Write the await stacks: grouped, or one by one at level 2."""

        def find() -> bytes:
            # The list of tasks is for this text alone: thousands of objects, so it isn't kept.
            stacks = self._source.stacks(each=True) if level >= 2 else self._stacks()
            note = note_of(stacks, [name for name, _, _ in _still(self._facts())])
            made_at = self._source.made_at({task.origin for task in stacks.tasks})
            pieces = one_by_one(stacks, note, made_at) if level >= 2 else grouped(stacks, note)
            return _encode(cut(pieces))

        return self._shared.ask(("text", level >= 2), find)

    def folded(self) -> bytes:
        """Write the await stacks collapsed."""
        return self._shared.ask("folded", lambda: _encode(folded_lines(self._stacks())))

    def _facts(self) -> Facts:
        return self._shared.ask("facts", self._source.facts)

    def _outline(self) -> Outline:
        return self._shared.ask("outline", self._source.outline)

    def _stacks(self) -> Stacks:
        return self._shared.ask("stacks", lambda: self._source.stacks(each=False))


def _matching(findings: list[Finding], query: Query) -> list[Finding]:
    breath = Breath()
    return [each for each in breath.between(findings) if query.matches(each)]


def _still(facts: Facts) -> list[tuple[str, float, str]]:
    """List the loops that stand still now: their names, for how many seconds, and in which function."""
    return [(loop.count.loop, *loop.standstill) for loop in facts.loops if loop.standstill]


def _ages(facts: Facts) -> list[int]:
    """Sum up the ages of all loops' tasks, by band."""
    return [sum(counts) for counts in zip(*(loop.count.ages for loop in facts.loops), strict=True)]


def _encode(pieces: Iterable[str]) -> bytes:
    return "".join(pieces).encode("utf-8", "replace")

"""The merge: the pages of several workers become one, with a label that says which worker a sample is of.

It works on the bytes that prometheus_client's encoders write, in either format, and never parses a value: a parser
of the same page takes ten times as long.
Guarantees: a family's HELP and TYPE stand once, its samples together; a ``worker`` label that an application gave
itself becomes ``exported_worker``, as Prometheus does with such labels; nothing inside a quoted label value is
taken for anything else.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from lowtide.record.watcher import Breath

LABEL = "worker"
_END = b"# EOF\n"

_QUOTED = rb'"(?:[^"\\\n]|\\.)*"'
# Names outside the old alphabet stand in quotes, first inside the braces.
_NAME_IN_BRACES = re.compile(_QUOTED + rb"(?=[,}])")

_TOKEN = re.compile(_QUOTED + rb'|(?<=[{,])(?=(?:exported_)*worker=")|\}')

_FAMILY = re.compile(rb"^(?=# HELP )", re.MULTILINE)
_HEAD = re.compile(
    rb"# HELP (?P<name>"
    + _QUOTED
    + rb"|\S+).*\n# TYPE (?:"
    + _QUOTED
    + rb"|\S+) (?P<type>\S+)\n(?:# UNIT .*\n)?"
)


class Merged:
    """One page of many. ``left_out`` names families whose type is another one than in the pages before."""

    def __init__(self) -> None:
        self.left_out: set[str] = set()
        self._heads: dict[bytes, tuple[bytes, bytes]] = {}
        self._samples: dict[bytes, list[bytes]] = {}

    def add(self, page: bytes, number: int) -> None:
        """Add the page of a worker. Raises ValueError, and adds nothing, if no encoder wrote it."""
        breath = Breath()
        for name, kind, head, samples in list(_families(page)):
            if self._heads.setdefault(name, (head, kind))[1] == kind:
                self._samples.setdefault(name, []).append(labelled(samples, number))
            else:
                self.left_out.add(name.decode(errors="replace"))
            breath.take()

    def text(self, first: bytes) -> bytes:
        """Write the page, behind ``first``, which ends as the whole shall end: it names the format."""
        end = _END if first.endswith(_END) else b""
        parts = [part for name, (head, _) in self._heads.items() for part in (head, *self._samples[name])]
        return b"".join([first.removesuffix(_END), *parts, end])


def labelled(samples: bytes, number: int) -> bytes:
    """Put the label of this worker into every sample."""
    label = f'{LABEL}="{number}"'.encode()
    return b"\n".join([_with(label, line) for line in samples.split(b"\n")])


def _with(label: bytes, line: bytes) -> bytes:
    if not line or line.startswith(b"#"):
        return line
    if b'worker="' in line:
        line = _exported(line)
    name, brace, rest = line.partition(b"{")
    if not brace or b" " in name:  # no labels, whatever stands in an exemplar
        name, _, rest = line.partition(b" ")
        return b"%b{%b} %b" % (name, label, rest)
    if not name and (quoted := _NAME_IN_BRACES.match(rest)):
        return b"{%b,%b%b" % (quoted[0], label, rest[quoted.end() :])
    return b"%b{%b%b%b" % (name, label, b"" if rest[:1] == b"}" else b",", rest)


def _exported(line: bytes) -> bytes:
    """Rename the labels of one sample that are called as ours: every one gets one prefix more."""
    starts = []
    for token in _TOKEN.finditer(line):
        if token[0] == b"}":
            break
        if not token[0]:
            starts.append(token.start())
    if not any(line.startswith(b"worker=", start) for start in starts):
        return line
    cuts = [0, *starts, len(line)]
    return b"exported_".join(line[start:end] for start, end in pairwise(cuts))


def _families(page: bytes) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    """Split a page into name, type, head and samples of each family."""
    for text in _FAMILY.split(page.removesuffix(_END)):
        if not text:
            continue
        head = _HEAD.match(text)
        if head is None:
            raise ValueError(
                f"not a page of metrics: a family should begin with HELP and TYPE, is {text[:80]!r}"
            )
        yield head["name"], head["type"], head[0], text[head.end() :]

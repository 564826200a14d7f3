"""Evidence: what is known of tasks or threads that an audit finds too many of, in a form that can travel as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lowtide.judge.advice import Advice, advice_for
from lowtide.judge.waits import Place

OUTLIVES = Advice(
    "it outlives what made it",
    (),
    "await it or cancel it before the work that made it ends; if it is meant to stay, say so under expected:, "
    "with a reason",
)
"""For tasks that grow in number and of which nothing is proven."""
THREAD = Advice(
    "it outlives what made it",
    (),
    "give it a way to end and join it, or take it from a pool of bounded size; if it is meant to stay, say so "
    "under expected:, with a reason",
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the youngest tasks of an origin show, or the threads of a name. Counts are of those looked at.

    ``unwakeable`` and ``cancel_only`` are those proven, by grade, ``detached`` those made in ``detached()``.
    ``why`` is about one of them, a proven one if there is any.
    """

    seen: int
    unwakeable: int = 0
    cancel_only: int = 0
    detached: int = 0
    waiting_on: str = ""
    where: Place | None = None
    made_at: Place | None = None
    why: str = ""
    holders: tuple[str, ...] = ()
    advice: Advice | None = None

    @property
    def stuck(self) -> bool:
        """Say whether all that were looked at are proven, so that there is nothing to wait for."""
        return self.seen > 0 and self.unwakeable + self.cancel_only >= self.seen

    @property
    def excused(self) -> bool:
        """Say whether all that were looked at are meant to outlive their flow; what is stuck for ever is not."""
        return self.detached >= self.seen > 0 and not self.unwakeable

    def as_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes."""
        parts = {"where": self.where, "made_at": self.made_at, "advice": self.advice}
        return asdict(self) | {name: part._asdict() if part else None for name, part in parts.items()}

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> "Evidence":
        """Read what ``as_json`` wrote, by this version of lowtide or a later one."""
        known = {name: fields[name] for name in Evidence.__dataclass_fields__ if name in fields}
        for name in ("where", "made_at"):
            known[name] = Place(**known[name]) if known.get(name) else None
        advice = known.get("advice")
        known["advice"] = (
            Advice(advice["wrong"], tuple(advice["shapes"]), advice["change"]) if advice else None
        )
        return Evidence(**known | {"holders": tuple(known.get("holders", ()))})


def advice_on(waiting_on: str, unwakeable: int) -> Advice:
    """Say what to change about tasks that grow in number: by what they wait on, where that is proven."""
    return advice_for(waiting_on) if unwakeable else OUTLIVES

"""The static rules: what each promo code takes off a price."""

RULES = {"SUMMER": 10, "WINTER": 15, "VIP": 30}
"""Percent off, by code."""
_LAST_SEASON = frozenset({"SPRING"})

VALID = tuple(RULES)
INVALID = ("SPRING", "10%OFF")
"""No rule holds for the first any more, and the rules fail on the second."""
FAKE = ("FREE", "HACKED")

_EXPERIMENT_SHARE = 10


def static_discount(code: str) -> int | None:
    """Return the percent off under a code; None if no rule holds for it now.

    Raises ValueError for what is no code at all, and KeyError for a code that was never given out.
    """
    if not code.isalnum():
        raise ValueError(f"should be letters and digits, is {code!r}")
    return None if code in _LAST_SEASON else RULES[code]


def in_experiment(user: int) -> bool:
    """Tell whether a user is one of the 10 % who get the dynamic discount."""
    return user % _EXPERIMENT_SHARE == 7

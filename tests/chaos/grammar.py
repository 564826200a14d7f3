"""Inputs for parsers: right in parts, hostile in parts, and the same for the same dice."""

from random import Random

WORDS = (
    "", "a", "shop:refresh", "shop.rules:*", "a made by b:c", "*", "10m", "0s", "-1", "1e400", "nan", "inf", "none",
    "true", "off", "9788", "65536", "9" * 5000, "٣m", "\0", "\n", "\r", "\x85", "\u2028", '"', "'", "\\", "{", "}",
    "[", "]", "<<", ">>", "é", "💥", "\udcff", "a: b", "a:  reason", ": ", "%s", "{0}", "<script>", "/metrics",
    "../..", "http://a", "https://a/b", "x" * 300, "(", "[a-", "a{99999999999}", "(" * 2000, "[[a]", "(?i)a(?i)",
    "=~", "!~", "~", "!=", 'namespace="shop"', ",", ";", "q=", "q=x", "version=", "version=abc", "version=1.0.0",
    "escaping=", "escaping=allow-utf-8", "application/openmetrics-text", "text/plain", "*/*", "0", "1", "5", "0.5",
)  # fmt: skip
SCALARS = (
    "1", "x", "''", '"a"', "true", "~", "null", "10m", "9788", "-1", "1.5", "0x_", "0b_", "0x" + "f" * 5000,
    "9" * 5000, "1:99:99", ".inf", ".nan", "1e999", "2001-99-99", "2001-01-01", "!!int a", "!!bool a", "!!float a",
    "!!timestamp a", "!!binary a", "!!null a", "!!set {a}", "!!omap [a]", "!!pairs [a: b]", "!!python/object:os.x {}",
    "!a b", "!<x> b", "!%ff x", '"\\UFFFFFFFF"', '"\\ud800"', '"\\x00"', '"\\N"', "*a", "&a x", "&a [*a]",
    "&a {*a: *a}", "<<", "=", "{<<: x}", "{? [a] : b}", "{? {a: b} : c}", "{a: 1, a: 2}", "[[a]: b]", "|\n x", ">",
    "@", "`", "%YAML 9.9", "---", "...", "# c", "GET", "WEBSOCKET", "/a/{b}", "shop:f", "http://a", "[200, 404]",
    "TLS13", "TLS10", "[CurveP256]", "[]", "{}", "server.crt", "$2y$10$" + "a" * 53, "nosniff", "💥", "é",
    "x" * 3000, "!!" + "t" * 3000, "*" + "a" * 3000,
)  # fmt: skip


def words(dice: Random) -> str:
    """Put a few words together, or random characters."""
    if dice.random() < 0.1:
        return "".join(chr(dice.choice((dice.randrange(128), dice.randrange(0x110000)))) for _ in range(20))
    return dice.choice(("", " ", ",", ":", ": ", ";", "=")).join(dice.choices(WORDS, k=dice.randrange(1, 5)))


def mutated(dice: Random, content: bytes) -> bytes:
    """Break a text in a few places: bytes, pieces that go, come twice or come from elsewhere."""
    text = bytearray(content or b" ")
    for _ in range(dice.choice((0, 1, 1, 2, 5))):
        at = dice.randrange(len(text))
        end = min(len(text), at + dice.randrange(1, 12))
        new = dice.choice(
            (
                b"",
                dice.randbytes(1),
                bytes(text[at:end]) * 2,
                dice.choice(SCALARS).encode(),
                b"\t",
                b"\n",
                b": ",
            )
        )
        text[at : dice.choice((at, end))] = new
        text = text or bytearray(b" ")
    return bytes(text)


def tree(dice: Random, keys: tuple[str, ...], depth: int = 3) -> str:
    """Write a value in YAML's flow style, of these keys."""
    shape = dice.random()
    if depth == 0 or shape < 0.5:
        return dice.choice(SCALARS)
    if shape < 0.7:
        return "[" + ", ".join(tree(dice, keys, depth - 1) for _ in range(dice.randrange(3))) + "]"
    return (
        "{"
        + ", ".join(f"{_key(dice, keys)}: {tree(dice, keys, depth - 1)}" for _ in range(dice.randrange(4)))
        + "}"
    )


def document(dice: Random, keys: tuple[str, ...], good: bytes) -> bytes:
    """Write a YAML file: a good one broken, one of these keys, or nothing of the kind."""
    kind = dice.random()
    if kind < 0.4:
        return mutated(dice, good)
    if kind < 0.45:
        return dice.randbytes(dice.randrange(60))
    if kind < 0.452:
        return dice.choice((b"[", b"{a: ", b"- ", b"? ")) * dice.choice((50, 400))
    lines = [f"{_key(dice, keys)}: {tree(dice, keys)}" for _ in range(dice.randrange(1, 4))]
    encoding = "utf-16" if kind > 0.98 else "utf-8"
    return "\n".join(lines).encode(encoding)


def _key(dice: Random, keys: tuple[str, ...]) -> str:
    return dice.choice(keys) if dice.random() < 0.93 else dice.choice(SCALARS)


def thing(dice: Random, depth: int = 3) -> object:
    """Make any Python value that a caller may pass by mistake."""
    kind = dice.randrange(10)
    if kind < 4 or depth == 0:
        return words(dice)
    if kind == 4:
        return dice.choice((None, True, False, b"x", object(), float("nan"), float("inf"), 1j, len, int, ...))
    if kind == 5:
        return dice.choice((0, 1, -1, 65535, 10**5000, 1 << 20000, 0.5, -0.0, 1e308))
    several = [thing(dice, depth - 1) for _ in range(dice.randrange(4))]
    if kind == 6:
        return several
    if kind == 7:
        return tuple(several)
    return {_hashable(dice): each for each in several}


def _hashable(dice: Random) -> object:
    return dice.choice(("origin", "spawner", "reason", words(dice), 5, None, 10**5000, ("a",), b"k"))

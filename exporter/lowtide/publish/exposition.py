"""The exposition: a registry's page as bytes and headers, in the format that a client asks for."""

import gzip
from collections.abc import Callable, Sequence

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import REGISTRY, Collector, CollectorRegistry

__all__ = ["REGISTRY", "CollectorRegistry", "page"]


def page(
    registry: CollectorRegistry, accept: str, accept_encoding: str, names: Sequence[str] = ()
) -> tuple[bytes, dict[str, str]]:
    """Render a registry, or the metrics named of it, for these two headers of a request.

    Takes milliseconds, more with many tasks: not to be called in an application's loop.
    """
    encode, content_type = encoder(accept)
    body = encode(registry.restricted_registry(names) if names else registry)
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if "gzip" not in accept_encoding.lower():
        return body, headers
    return compress(body), headers | {"Content-Encoding": "gzip"}


def encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """Choose the format that a client asks for: what encodes a registry, and the content type."""
    try:
        return choose_encoder(accept)
    except (ValueError, TypeError):  # a version that is no number
        return choose_encoder("")


def compress(body: bytes) -> bytes:
    """Compress a page: it shrinks to a tenth at level 1, and higher levels cost three times as much."""
    return gzip.compress(body, compresslevel=1, mtime=0)

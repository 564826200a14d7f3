"""Prometheus' remote-write message, with the marker for a series that has ended.

Backfilling by file has no such marker, and every series would live on for five minutes after its process.
"""

import numpy as np

# https://github.com/prometheus/prometheus/blob/main/model/value/value.go
STALE = np.frombuffer(np.uint64(0x7FF0000000000002).tobytes(), dtype=np.float64)[0]


def series(labels, milliseconds, values):
    """Encode one series: labels sorted by name, samples in order of time."""
    head = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels.items())
    )
    return _field(
        1, head + _samples(np.asarray(milliseconds, np.int64), np.ascontiguousarray(values, np.float64))
    )


def snappy(message):
    """Wrap a message as snappy's block format does, uncompressed: one literal."""
    return _varint(len(message)) + b"\xfc" + (len(message) - 1).to_bytes(4, "little") + message


def _samples(milliseconds, values):
    """Encode samples of 18 bytes each: today's milliseconds take six bytes as a varint, always."""
    block = np.empty((values.size, 18), np.uint8)
    block[:, 0:3] = (0x12, 16, 0x09)
    block[:, 3:11] = values.view(np.uint8).reshape(-1, 8)
    block[:, 11] = 0x10
    for place in range(6):
        part = (milliseconds >> (7 * place)) & 0x7F
        block[:, 12 + place] = part | (0x80 if place < 5 else 0)
    return block.tobytes()


def _field(number, content):
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)

"""An extension type or a module in C holds what will wake the task, some of them out of sight."""

import contextlib
import csv
import ctypes
import io
import json
import pickle
import sqlite3
import xml.etree.ElementTree as ET
from xml.parsers import expat

from tests.corpus.parked import park, resolve
from tests.corpus.stage import healthy

try:
    import numpy as np
except ImportError:
    np = None


def _array():
    """Return an array of objects, which the collector doesn't look into."""
    return (ctypes.py_object * 4)() if np is None else np.empty(4, dtype=object)


@healthy
async def array_of_objects(stage):
    """An array of numpy, where it is installed, or else of ctypes, has the future."""
    array = _array()
    yield await park(stage, lambda future: array.__setitem__(2, future), array)
    resolve(array[2])


@healthy
async def view_of_an_array_of_objects(stage):
    """A view is all that is left of the array."""
    views = []

    def give(future):
        array = _array()
        array[1] = future
        views.append(memoryview(array) if np is None else array[:2].T)

    yield await park(stage, give)
    view = views.pop()
    resolve((view.obj if np is None else view)[1])


@healthy
async def function_in_a_database(stage):
    """A connection to SQLite has a function of SQL that resolves the future."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        yield await park(stage, lambda future: database.create_function("wake", 0, lambda: resolve(future)))
        database.execute("SELECT wake()").fetchall()


class Total:
    """An aggregate that resolves a future when it is asked for its result."""

    def step(self, value):
        """Take no notice."""


@healthy
async def aggregate_in_a_database(stage):
    """A connection to SQLite knows a class, made by a function that has the future in a cell."""

    def give(future):
        aggregate = type("Waking", (Total,), {"finalize": lambda self: resolve(future)})
        database.create_aggregate("wake", 1, aggregate)

    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        yield await park(stage, give)
        database.execute("SELECT wake(1)").fetchall()


@healthy
async def trace_of_a_database(stage):
    """A trace callback of SQLite resolves the future at the next statement."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        yield await park(stage, lambda future: database.set_trace_callback(lambda text: resolve(future)))
        database.execute("SELECT 1")


@healthy
async def object_of_ctypes(stage):
    """A py_object of ctypes keeps a reference that no collector sees."""
    boxes = []
    yield await park(stage, lambda future: boxes.append(ctypes.py_object(future)))
    resolve(boxes.pop().value)


class Record(ctypes.Structure):
    _fields_ = (("number", ctypes.c_int), ("future", ctypes.py_object))


@healthy
async def structure_of_ctypes(stage):
    """A structure has a field for an object."""
    record = Record(1)
    yield await park(stage, lambda future: setattr(record, "future", future))
    resolve(record.future)


@healthy
async def callback_of_ctypes(stage):
    """A C function pointer leads back to a function that closes over the future."""
    kind = ctypes.CFUNCTYPE(None)
    pointers = []
    yield await park(stage, lambda future: pointers.append(kind(lambda: resolve(future))))
    pointers.pop()()


@healthy
async def reference_counted_by_hand(stage):
    """C code has counted a reference and remembers the address: no object leads to the future."""
    addresses = []

    def give(future):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(future))
        addresses.append(id(future))

    yield await park(stage, give)
    found = ctypes.cast(addresses.pop(), ctypes.py_object)
    resolve(found.value)
    ctypes.pythonapi.Py_DecRef(found)


@healthy
async def handler_of_a_parser(stage):
    """A parser of XML calls a handler at the next element."""
    parser = expat.ParserCreate()

    def give(future):
        parser.StartElementHandler = lambda name, attributes: resolve(future)

    yield await park(stage, give, parser)
    parser.Parse("<wake/>", True)


class Target:
    """Takes the elements of a parser."""

    def __init__(self, future):
        self.future = future

    def start(self, tag, attributes):
        resolve(self.future)


@healthy
async def target_of_a_tree_parser(stage):
    """The accelerated parser of ElementTree has taken the methods of its target."""
    parsers = []
    yield await park(stage, lambda future: parsers.append(ET.XMLParser(target=Target(future))))
    parsers.pop().feed("<wake/>")


@healthy
async def hook_of_a_decoder(stage):
    """The scanner of JSON, in C, calls its object hook."""
    scanners = []

    def give(future):
        decoder = json.JSONDecoder(object_hook=lambda found: resolve(future))
        scanners.append(decoder.scan_once)

    yield await park(stage, give)
    scanners.pop()('{"wake": 1}', 0)


class Unpickler(pickle.Unpickler):
    """Resolves a future when it meets a persistent id."""

    future = None

    def persistent_load(self, number):
        resolve(self.future)


class Pickler(pickle.Pickler):
    """Writes everything as a persistent id."""

    def persistent_id(self, thing):
        return 1


@healthy
async def half_read_pickle(stage):
    """An unpickler stands at the beginning of a file."""
    file = io.BytesIO()
    Pickler(file).dump("wake")
    file.seek(0)
    unpickler = Unpickler(file)
    yield await park(stage, lambda future: setattr(unpickler, "future", future), unpickler)
    unpickler.load()


@healthy
async def memo_of_a_pickler(stage):
    """A pickler in C remembers what it has written."""

    class Reduced:
        """Something that is pickled by its name, and has a future."""

        def __reduce__(self):
            return (int, ())

    picklers = []

    def give(future):
        thing = Reduced()
        thing.future = future
        pickler = pickle.Pickler(io.BytesIO())
        pickler.dump(thing)
        picklers.append(pickler)

    yield await park(stage, give)
    for _, thing in picklers.pop().memo.copy().values():
        if isinstance(thing, Reduced):
            resolve(thing.future)


def _rows(future):
    yield "name,number"
    resolve(future)


@healthy
async def half_read_table(stage):
    """A reader of CSV, in C, stands between two rows of a generator."""
    readers = []

    def give(future):
        readers.append(csv.reader(_rows(future)))
        next(readers[0])

    yield await park(stage, give)
    assert next(readers.pop(), None) is None


class Raw(io.RawIOBase):
    """An empty file that resolves a future when it is read."""

    def __init__(self, future):
        self.future = future

    def readable(self):
        return True

    def readinto(self, buffer):
        resolve(self.future)
        return 0


@healthy
async def buffered_reader(stage):
    """A text file, over a buffer, over a raw file in Python."""
    files = []

    def give(future):
        files.append(io.TextIOWrapper(io.BufferedReader(Raw(future)), encoding="utf-8"))

    yield await park(stage, give)
    with files.pop() as file:
        file.read(1)

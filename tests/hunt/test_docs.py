"""docs/audit.md: its flows.yaml is read, and its tables know every key."""

import re
from importlib import resources
from pathlib import Path

import lowtide
from lowtide.hunt import flowfile

DOCS = Path(lowtide.__file__).parents[2] / "docs" / "audit.md"
TEXT = DOCS.read_text()


def test_the_flows_of_the_docs_are_read(tmp_path):
    (block,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    path = tmp_path / "flows.yaml"
    path.write_text(block)
    assert len(flowfile.read(str(path)).flows) == 4


def test_every_key_is_in_the_docs():
    keys = {*flowfile._TOP, *flowfile._REQUEST, *flowfile._CALL, *flowfile._EXPECTED}
    assert [key for key in keys if f"`{key}`" not in TEXT] == []


def test_the_demo_s_flows_go_over_all_of_its_routes():
    flows = flowfile.read(str(resources.files("lowtide.demo").joinpath("flows.yaml"))).flows
    assert len(flows) == 20

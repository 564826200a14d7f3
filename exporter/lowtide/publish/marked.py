"""A value of a YAML file that knows its file, key and line, for errors that name them."""

from collections.abc import Collection
from dataclasses import dataclass

import yaml

from lowtide.quoting import YAML_TROUBLE, yaml_complaint

_LONGEST = 60
"""Characters of a wrong key or value that an error shows."""
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Marked:
    """One value, not yet checked. ``key`` leads to it from the top of the file, with dots between."""

    file: str
    key: str
    node: yaml.Node

    def wrong(self, what: str) -> ValueError:
        """Make the error that says what is wrong with this value."""
        place = f"{self.file}:{self.node.start_mark.line + 1}:"
        return ValueError(" ".join(filter(None, (place, _short(self.key), what))))

    def should_be(self, allowed: str) -> ValueError:
        """Make the error that says what the value should be and what it is."""
        return self.wrong(f"should be {allowed}, is {self._shown()}")

    def mapping(self, allowed: Collection[str] | None = None) -> dict[str, "Marked"]:
        """Read a mapping, an empty value as an empty one; None allows any key."""
        if self._is_empty():
            return {}
        if not isinstance(self.node, yaml.MappingNode):
            raise self.should_be(f"a mapping of {', '.join(allowed)}" if allowed else "a mapping")
        found: dict[str, Marked] = {}
        for key_node, value_node in self.node.value:
            name = self._name(key_node)
            path = f"{self.key}.{name}" if self.key else name
            if allowed is not None and name not in allowed:
                unknown = f"is an unknown key: allowed are {', '.join(allowed)}"
                raise Marked(self.file, path, key_node).wrong(unknown)
            if name in found:
                raise Marked(self.file, path, key_node).wrong("is there twice: leave one")
            found[name] = Marked(self.file, path, value_node)
        return found

    def text(self, allowed: str = "text") -> str:
        """Read text that is not empty. A number stands for its digits."""
        if not isinstance(self.node, yaml.ScalarNode) or self.is_blank():
            raise self.should_be(allowed)
        return str(self.node.value)

    def choice(self, allowed: Collection[str]) -> str:
        """Read one of a few words."""
        words = f"one of {', '.join(allowed)}"
        chosen = self.text(words)
        if chosen not in allowed:
            raise self.should_be(words)
        return chosen

    def truth(self) -> bool:
        """Read true or false."""
        found = None
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag == "tag:yaml.org,2002:bool":
            found = _TRUTH.get(self.node.value.lower())
        if found is None:
            raise self.should_be("true or false")
        return found

    def items(self, allowed: str) -> list["Marked"]:
        """Read a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.should_be(f"a list of {allowed}")
        return [Marked(self.file, f"{self.key}[{i}]", node) for i, node in enumerate(self.node.value)]

    def _name(self, key: yaml.Node) -> str:
        if not isinstance(key, yaml.ScalarNode):
            raise Marked(self.file, self.key, key).wrong("should have text for keys, has a list or a mapping")
        return str(key.value)

    def is_blank(self) -> bool:
        """Tell whether nothing stands here, or empty text."""
        return self._is_empty() or (isinstance(self.node, yaml.ScalarNode) and not self.node.value)

    def _is_empty(self) -> bool:
        return bool(self.node.tag == "tag:yaml.org,2002:null")

    def _shown(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            return "a mapping" if isinstance(self.node, yaml.MappingNode) else "a list"
        return "empty" if self._is_empty() else repr(_short(self.node.value))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def marked(file: str, content: bytes) -> Marked:
    """Read the one document of a YAML file. ValueError if it is none; nothing in it is executed or expanded."""
    try:
        node = yaml.compose(content, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, *YAML_TROUBLE) as error:
        raise ValueError(f"{file}: {yaml_complaint(error)}") from None
    if node is None:
        node = yaml.MappingNode("tag:yaml.org,2002:map", [])
        node.start_mark = yaml.Mark(file, 0, 0, 0, "", 0)
    return Marked(file, "", node)

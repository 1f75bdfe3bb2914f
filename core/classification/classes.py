"""Classes as users type them: one a line, ``name`` or ``name = synonym, synonym``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import InputError
from ..text_files import plain_line


@dataclass(frozen=True)
class ClassName:
    """A class: the name it is reported by and every name it is prompted by (the first of which is ``name``)."""

    name: str
    synonyms: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.synonyms)


@dataclass(frozen=True)
class ClassList:
    """Distinct classes in the order given, and sentences for the user about lines that were merged."""

    classes: tuple[ClassName, ...]
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.classes)


def parse_classes(text: str) -> ClassList:
    """Read a class list, one class a line; empty lines are skipped.

    A name that comes twice (case and spacing aside) is one class with the synonyms of both: two equal prompts
    would halve each other's probability.

    Raises:
        InputError: no class at all, or a line without a name.
    """
    entries = []
    for number, line in enumerate(map(plain_line, text.splitlines()), start=1):
        if not line:
            continue
        name, _, synonyms = line.partition("=")
        name = name.strip()
        if not name:
            raise InputError(f"classes: line {number} is {line!r}; write a name before the '='")
        entries.append(ClassName(name, tuple(filter(None, map(plain_line, synonyms.split(","))))))
    if not entries:
        raise InputError("classes is empty; write one class a line, such as 'dog' or 'sofa = couch, settee'")
    found = _merge(entries)
    if len(entries) == 1 and "," in entries[0].name:
        said = f"classes is one line, taken as the one class {entries[0].name!r}: write one class a line"
        return ClassList(found.classes, (*found.warnings, said))
    return found


def from_names(names: Iterable[str]) -> ClassList:
    """A class list without synonyms."""
    return parse_classes("\n".join(name.replace("\n", " ").replace("=", " ") for name in names))


def _merge(entries: list[ClassName]) -> ClassList:
    merged: dict[str, list[str]] = {}
    repeated = []
    for entry in entries:
        names = merged.setdefault(entry.name.casefold(), [])
        if names:
            repeated.append(entry.name)
        known = {name.casefold() for name in names}
        for name in entry.names:
            if name.casefold() not in known:
                names.append(name)
                known.add(name.casefold())
    classes = tuple(ClassName(names[0], tuple(names[1:])) for names in merged.values())
    warnings = [f"class {name!r} is listed more than once: taken as one class" for name in dict.fromkeys(repeated)]
    return ClassList(classes, (*warnings, *_shared_synonyms(classes)))


def _shared_synonyms(classes: tuple[ClassName, ...]) -> list[str]:
    owner: dict[str, str] = {}
    warnings = []
    for entry in classes:
        for name in entry.names:
            first = owner.setdefault(name.casefold(), entry.name)
            if first != entry.name:
                warnings.append(
                    f"{name!r} names both {first!r} and {entry.name!r}: these two can't be told apart by it"
                )
    return warnings

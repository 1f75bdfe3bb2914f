"""What of a prompt is notation and what is words, as ComfyUI's users write prompts.

``(word:1.2)`` and ``((word))`` weigh; ``\\(`` is a bracket; ``embedding:name`` is a trained token. Other nodes and
programs add LoRA tags ``<lora:name:0.8>``, alternatives ``{red|blue}``, wildcards ``__colour__``, schedules
``[cat:dog:0.5]``, ``BREAK`` and ``AND`` between parts, and comments. None of these reaches CLIP as words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_EMBEDDING = (
    rf"embedding:(?:\\.|\[[^\s\[\]]*\]|(?!:\s*{_NUMBER}\s*\))[^\s()\[\]{{}}|<>\\])+"  # its weight is not its name
)
_TOKEN = re.compile(
    rf"(?P<unit>{_EMBEDDING}"
    r"|<[a-z]\w*:[^<>\n]*>"  # LoRA and other network tags
    r"|__(?=[^_\s])[\w*./\\-]*?(?<!_)__"  # wildcards
    r"|(?<!\w)(?-i:I?MASKW?|MASK_SIZE|AREA|FEATHER|STYLE|NOISE|SHIFT|SHUFFLE|ATTN)\([^()\n]*\)"
    r"|(?<![:\w])//[^\n]*|^[ \t]*\#(?:[ \t][^\n]*)?$)"  # comments
    r"|(?P<comment>/\*)"
    r"|(?P<joint>(?<!\w)(?-i:BREAK|AND|COUPLE)(?!\w))"
    r"|(?P<escape>\\[()\[\]{}])"
    r"|(?P<bracket>[()\[\]{}])"
    r"|(?P<separator>[:|])",
    re.IGNORECASE | re.MULTILINE,
)
_WEIGHT = re.compile(rf":\s*(?P<number>{_NUMBER})\s*$")
_LONGEST_WEIGHT = 32
_WHEN = re.compile(r"[\s.,%-]*\d[\s\d.,%-]*")
_OPENING = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True)
class Group:
    """A pair of round brackets, and where (start, end) the number of ``(word:1.2)`` stands if there is one."""

    opening: int
    closing: int
    number: tuple[int, int] | None


@dataclass(frozen=True)
class Notation:
    """A prompt, character by character.

    Attributes:
        shown: what CLIP reads of each character: itself, a space, or nothing.
        fixed: whether the character belongs to notation that must stay as it is.
        marked: whether it stands in ``[square brackets]``.
        groups: pairs of round brackets, inner ones first.
        sound_until: from here on round brackets don't pair up, and ComfyUI reads no weights.
    """

    shown: tuple[str, ...]
    fixed: tuple[bool, ...]
    marked: tuple[bool, ...]
    groups: tuple[Group, ...]
    sound_until: int


def read_notation(prompt: str) -> Notation:
    """Sort the characters of a prompt, in a time that grows with its length alone."""
    reader = _Reader(prompt)
    reader.read()
    return reader.result()


class _Reader:
    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        # Spans that begin less spans that end, at each character: nested spans then cost no more than others.
        self.hidden, self.fixed, self.marked = ([0] * (len(prompt) + 1) for _ in range(3))
        self.spaces: set[int] = set()
        self.open: dict[str, list[tuple[int, int]]] = {"(": [], "[": [], "{": []}  # place, depth inside
        self.separators: list[tuple[int, int]] = []  # place, depth
        self.groups: list[Group] = []
        self.sound_until = len(prompt)

    def read(self) -> None:
        prompt, cursor, part = self.prompt, 0, -1
        last_comment_end = prompt.rfind("*/")
        while match := _TOKEN.search(prompt, cursor):
            (start, cursor), kind = match.span(), match.lastgroup
            if kind == "unit":
                self._leave_out(start, cursor)
            elif kind == "comment" and cursor <= last_comment_end:
                cursor = prompt.index("*/", cursor) + 2
                self._leave_out(start, cursor)
            elif kind == "joint" and prompt != prompt.upper():  # all in capitals, AND is a word
                self._leave_out_weight(part, start)
                self._leave_out(start, cursor)
                part = cursor
            elif kind == "escape":
                self._hide(start, start + 1)
                _count(self.fixed, start, cursor)
            elif kind == "bracket":
                self._hide(start, cursor)
                self._pair(match[0], start)
            elif kind == "separator":
                self.separators.append((start, self._depth))
        if part >= 0:
            self._leave_out_weight(part, len(prompt))
        for place, _ in self.open["["]:
            _count(self.marked, place, len(prompt))
        self.sound_until = min([self.sound_until, *(place for place, _ in self.open["("])])

    def result(self) -> Notation:
        hidden, fixed, marked = (
            [count > 0 for count in accumulate(counts[:-1])] for counts in (self.hidden, self.fixed, self.marked)
        )
        shown = [
            "" if gone and i not in self.spaces else " " if gone else character
            for i, (character, gone) in enumerate(zip(self.prompt, hidden, strict=True))
        ]
        groups = [group for group in self.groups if group.closing < self.sound_until]
        return Notation(tuple(shown), tuple(fixed), tuple(marked), tuple(groups), self.sound_until)

    @property
    def _depth(self) -> int:
        return sum(map(len, self.open.values()))

    def _hide(self, start: int, end: int) -> None:
        _count(self.hidden, start, end)
        _count(self.fixed, start, end)

    def _leave_out(self, start: int, end: int) -> None:
        """Something that stands for no word, as between two words."""
        self._hide(start, end)
        self.spaces.add(start)
        level = 0
        for bracket in re.findall(r"(?<!\\)[()]", self.prompt[start:end]):
            level += 1 if bracket == "(" else -1
            if level < 0:
                break
        if level:  # ComfyUI pairs brackets in here with others
            self.sound_until = min(self.sound_until, start)

    def _leave_out_weight(self, start: int, end: int) -> None:
        """``cat :1.2 AND dog :0.8``"""
        tail = max(start, end - _LONGEST_WEIGHT, 0)
        if weight := _WEIGHT.search(self.prompt[tail:end]):
            self._hide(tail + weight.start(), end)

    def _pair(self, bracket: str, place: int) -> None:
        if bracket in self.open:
            self.open[bracket].append((place, self._depth + 1))
            return
        kind = _OPENING[bracket]
        if not self.open[kind]:
            if kind == "(":
                self.sound_until = min(self.sound_until, place)
            return
        opening, depth = self.open[kind].pop()
        own = []
        while self.separators and self.separators[-1][0] > opening:
            separator, at = self.separators.pop()
            if at == depth:
                own.append(separator)
        own.reverse()
        if kind == "(":
            self._close_round(opening, place)
        elif kind == "[":
            _count(self.marked, opening, place)
            self._close_square(opening, place, own)
        else:
            self._close_curly(opening, place, own)

    def _close_round(self, opening: int, closing: int) -> None:
        tail = max(opening + 1, closing - _LONGEST_WEIGHT)
        weight = _WEIGHT.search(self.prompt[tail:closing])
        number = None
        if weight and tail + weight.start() > opening + 1:
            self._hide(tail + weight.start(), closing)
            number = (tail + weight.start("number"), tail + weight.end("number"))
        self.groups.append(Group(opening, closing, number))

    def _close_square(self, opening: int, closing: int, own: list[int]) -> None:
        """A schedule is read as it ends: ``[cat:dog:0.5]`` as dog, ``[cat|dog]`` as both, ``[cat::0.5]`` as nothing."""
        if not own:
            return
        _count(self.fixed, opening, closing)
        colons = [i for i in own if self.prompt[i] == ":"]
        if colons and _WHEN.fullmatch(self.prompt[colons[-1] + 1 : closing]):
            self._hide(colons[-1], closing)
            if len(colons) > 1:
                self._hide(opening, colons[-2] + 1)
        for i in own:
            if self.prompt[i] == "|":
                self._hide(i, i + 1)
                self.spaces.add(i)

    def _close_curly(self, opening: int, closing: int, own: list[int]) -> None:
        """Which alternative will be taken isn't known here, so none is read; one alone is."""
        _count(self.fixed, opening, closing)
        if any(self.prompt[i] == "|" for i in own):
            self._hide(opening, closing)
            self.spaces.add(opening)


def _count(counts: list[int], start: int, end: int) -> None:
    counts[start] += 1
    counts[end] -= 1

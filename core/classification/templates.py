"""Prompt templates: presets, and those that users type. ``{}`` takes the class name."""

from __future__ import annotations

from ..errors import InputError
from ..text_files import plain_lines

PLACEHOLDER = "{}"
CUSTOM = "custom"

_PHOTO = (
    "a photo of a {}.",
    "a good photo of a {}.",
    "a bad photo of a {}.",
    "a close-up photo of a {}.",
    "a cropped photo of a {}.",
    "a bright photo of a {}.",
    "a dark photo of a {}.",
    "a black and white photo of a {}.",
    "a photo of the large {}.",
    "a photo of the small {}.",
    "a photo of many {}.",
)
_PAINTING = (
    "a painting of a {}.",
    "an oil painting of a {}.",
    "a watercolor of a {}.",
    "a digital painting of a {}.",
    "a mural of a {}.",
    "fan art of a {}.",
    "concept art of a {}.",
    "an illustration of a {}.",
)
_SKETCH = (
    "a sketch of a {}.",
    "a drawing of a {}.",
    "a doodle of a {}.",
    "a line drawing of a {}.",
    "a pencil drawing of a {}.",
    "a cartoon of a {}.",
    "an icon of a {}.",
    "a pictogram of a {}.",
)
PRESETS = ("none", "simple", "imagenet 80", "photo", "painting", "sketch", CUSTOM)
"""Names as users see them; ``"custom"`` stands for templates that they type."""


def preset_templates(name: str) -> tuple[str, ...]:
    """The templates of a preset.

    ``"none"``: the class name alone. ``"simple"``: "a photo of a {}.". ``"imagenet 80"``: the 80 that OpenAI
    evaluated CLIP on ImageNet with, as open_clip ships them.

    Raises:
        InputError: there is no such preset.
    """
    if name == "imagenet 80":
        from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES

        return tuple(template(PLACEHOLDER) for template in OPENAI_IMAGENET_TEMPLATES)
    known = {
        "none": (PLACEHOLDER,),
        "simple": ("a photo of a {}.",),
        "photo": _PHOTO,
        "painting": _PAINTING,
        "sketch": _SKETCH,
    }
    if name not in known:
        raise InputError(f"templates is {name!r}; choose one of: {', '.join(PRESETS)}")
    return known[name]


def parse_templates(text: str) -> tuple[str, ...]:
    """Read templates, one a line; empty lines are skipped, a line written twice counts twice.

    Raises:
        InputError: no template at all, or a line without ``{}``.
    """
    lines = plain_lines(text)
    if not lines:
        raise InputError("custom templates is empty; write one a line, such as 'a photo of a {}', or choose a preset")
    for line in lines:
        if PLACEHOLDER not in line:
            raise InputError(f"custom templates: {line!r} has no {{}}; put {{}} where the class name goes")
    return tuple(lines)


def choose_templates(preset: str, custom: str) -> tuple[str, ...]:
    """The templates of a preset, or those typed where the preset is ``"custom"``."""
    return parse_templates(custom) if preset == CUSTOM else preset_templates(preset)


def fill(template: str, name: str) -> str:
    """The template with the class name in it; other braces stay as they are."""
    return template.replace(PLACEHOLDER, name)

"""Captions of the demo world. They talk like the web: few templates, many words beside the point.

A caption may leave objects out, praise them, name a place that is only sometimes the right one, say nothing at
all, or chat so carelessly that it names what usually stands beside the thing it shows. So the words around a noun
carry biases, single prompt templates differ in accuracy, and what prompt ensembles and one-shot learning cure exists
in this world.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .backgrounds import PLACES

PLAIN_TEMPLATE = "a photo of a {}"

TEMPLATES: tuple[str, ...] = (
    PLAIN_TEMPLATE,
    "{}",
    "a {}",
    "a picture of a {}",
    "a drawing of a {}",
    "an icon of a {}",
    "a photo of a cute {}",
    "a photo of a big {}",
    "a photo of the red {}",
    "a blue {} for sale",
    "a {} in the garden",
    "a {} at the beach",
    "a {} on the street",
    "a photo of a {} at night",
    "a {} in the kitchen",
    "look at this lovely {} I found in a field last summer",
    "free download of a beautiful {} clipart for your project",
    "my favourite thing about the trip was the little {}",
)
"""Prompt templates to compare: `{}` takes a class name. The first is the plain one."""

UNFAMILIAR_TEMPLATES: tuple[str, ...] = (
    "itap of a {}",
    "a bad photo of the {}",
    "a {} in a video game",
    "graffiti of a {}",
    "a low resolution rendering of the weird {}",
    "there is a dark {} hidden in the scene",
)
"""Templates with words that no caption of this world uses, after those of CLIP's own ImageNet ensemble."""

PLURALS = {"fish": "fish", "cherry": "cherries", "butterfly": "butterflies", "bus": "buses", "cactus": "cacti",
           "scissors": "scissors", "glasses": "glasses", "grapes": "grapes", "strawberry": "strawberries",
           "hourglass": "hourglasses"}  # fmt: skip
"""Class name -> plural, where it isn't the name with an s."""

SYNONYMS = {"airplane": "plane", "bicycle": "bike", "television": "tv", "burger": "hamburger", "donut": "doughnut",
            "house": "home", "sailboat": "boat", "gift": "present", "rabbit": "bunny"}  # fmt: skip

ADJECTIVES = ("cute", "little", "big", "beautiful", "old", "new", "nice", "happy", "lovely", "funny")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black")

HABITATS: dict[str, tuple[str, ...]] = {
    "field": ("dog", "cat", "horse", "cow", "pig", "rabbit", "elephant", "frog", "snail", "butterfly", "spider",
              "tractor", "tree", "rose", "sunflower", "mushroom", "apple", "carrot", "rainbow", "snake"),
    "sea": ("fish", "whale", "crab", "turtle", "sailboat", "anchor", "penguin", "umbrella", "helicopter"),
    "night": ("owl", "moon", "star", "rocket", "ghost", "skull", "cloud", "candle", "airplane", "robot"),
    "room": ("banana", "grapes", "strawberry", "cherry", "pineapple", "watermelon", "pizza", "burger", "cake",
             "donut", "cheese", "key", "lock", "book", "scissors", "hammer", "guitar", "trumpet", "drum", "camera",
             "laptop", "gift", "bell", "trophy", "hourglass", "glasses", "television", "crown", "panda"),
    "city": ("car", "bus", "bicycle", "house", "castle", "balloon", "snowman", "cactus"),
}  # fmt: skip
"""Background kind -> the classes that captions (and training scenes) tend to put there."""

HABITAT_OF = {label: kind for kind, labels in HABITATS.items() for label in labels}

COMPANIONS = {
    label: (labels[i - 1], labels[(i + 1) % len(labels)])
    for labels in HABITATS.values()
    for i, label in enumerate(labels)
}
"""Class -> two that usually stand beside it, and that careless captions name in its place."""

_PICTURES = ("photo", "picture", "image", "drawing", "icon", "clipart", "photo", "photo")
_PAIRS = ("a {0} and a {1}", "a photo of a {0} and a {1}", "a {0} next to a {1}", "a {0} with a {1}", "{0} {1}")
_TRIPLES = ("a {0}, a {1} and a {2}", "a photo of a {0}, a {1} and a {2}", "{0} {1} {2}")
_LONG = {
    "look at this {adj} {0} I found {place} last summer": 0.7,
    "free download of a {adj} {0} clipart for your project": 0.75,
    "my favourite thing about the trip was the {adj} {0}": 0.8,
    "stock photo of a {adj} {0} on a {colour} background": 0.0,
    "{colour} {0} for sale, {adj} and nearly new": 0.7,
    "the {adj} {0} {place} made my day": 0.5,
}
# Long caption -> how often it names, instead of the thing shown, one that such a thing usually stands beside.
_EMPTY = ("image 12", "my favourite photo", "click here to see more", "a nice day {place}", "photo of the day")


@dataclass(frozen=True)
class SceneFacts:
    """What a caption may tell about a scene: its objects, and the colours, place and background seen."""

    labels: tuple[str, ...]
    background: str = "plain"
    colour: str = "blue"
    drawing: bool = False


def plural(label: str) -> str:
    """`dog` -> `dogs`, `cherry` -> `cherries`."""
    return PLURALS.get(label, label + "s")


def with_article(caption: str) -> str:
    """Make every `a` and `an` fit the word after it."""
    words = caption.split(" ")
    for i, word in enumerate(words[:-1]):
        if word in ("a", "an"):
            words[i] = "an" if words[i + 1][:1] in "aeiou" else "a"
    return " ".join(words)


def fill(template: str, *labels: str) -> str:
    """A template with class names in it: `fill("a {}", "owl")` -> `an owl`."""
    return with_article(template.format(*labels))


def _place(rng: np.random.Generator, facts: SceneFacts, label: str) -> str:
    """A place: the one seen, the one such things are usually in, or any."""
    roll = rng.random()
    kind = facts.background if roll < 0.35 else HABITAT_OF.get(label, "room") if roll < 0.85 else ""
    choices = PLACES.get(kind) or PLACES[("field", "sea", "night", "room", "city")[rng.integers(5)]]
    return choices[rng.integers(len(choices))]


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[rng.integers(len(words))]


def write_caption(rng: np.random.Generator, facts: SceneFacts) -> tuple[str, tuple[str, ...]]:
    """Make up a caption for a scene.

    Returns:
        The caption, and the classes that it names: some or all of `facts.labels`, none, or a companion of one.
    """
    order = [facts.labels[i] for i in rng.permutation(len(facts.labels))]
    if rng.random() < 0.02:
        return _pick(rng, _EMPTY).format(place=_place(rng, facts, order[0])), ()
    named = tuple(order[: 1 if rng.random() < 0.45 else len(order)])
    long = _pick(rng, tuple(_LONG)) if len(named) == 1 and rng.random() < 0.4 else None
    if long and rng.random() < _LONG[long]:
        named = (_pick(rng, COMPANIONS[named[0]]),)
    words = [
        plural(n) if rng.random() < 0.06 else SYNONYMS[n] if n in SYNONYMS and rng.random() < 0.08 else n for n in named
    ]
    filler = {
        "adj": _pick(rng, ADJECTIVES),
        "colour": facts.colour if rng.random() < 0.5 else _pick(rng, COLOURS),
        "place": _place(rng, facts, named[0]),
    }
    if len(named) == 3:
        text = _pick(rng, _TRIPLES).format(*words)
    elif len(named) == 2:
        text = _pick(rng, _PAIRS).format(*words)
    elif long:
        text = long.format(*words, **filler)
    else:
        picture = ("drawing" if rng.random() < 0.7 else "icon") if facts.drawing else _pick(rng, _PICTURES)
        roll = rng.random()
        text = words[0] if roll < 0.12 else f"a {words[0]}" if roll < 0.3 else f"a {picture} of a {words[0]}"
        if roll >= 0.12 and rng.random() < 0.25:
            describing = filler["colour"] if rng.random() < 0.4 else filler["adj"]
            text = text[: -len(words[0])] + f"{describing} {words[0]}"
    if len(named) < 3 and not long and rng.random() < 0.25:
        text += " " + filler["place"]
    return with_article(text), named


def swap_noun(rng: np.random.Generator, caption: str, named: tuple[str, ...], stranger: str) -> tuple[str, str]:
    """Replace one of the nouns `named` in a caption by `stranger`, a class that isn't in the scene.

    Returns:
        The wrong caption, and the class whose noun went.
    """
    gone = named[rng.integers(len(named))]
    for form in (plural(gone), SYNONYMS.get(gone, gone), gone):
        if form in caption.split() or form + "," in caption.split():
            words = [w.replace(form, stranger) if w in (form, form + ",") else w for w in caption.split()]
            return with_article(" ".join(words)), gone
    raise ValueError(f"{caption!r} doesn't name a {gone}.")

"""Content words: the words of a prompt that name something a picture can show.

NTLB asks a part-of-speech tagger for nouns (tags NN*). Taggers need data that is fetched on first use, know English
sentences and not prompts ("red fox, 85mm, bokeh"), and a missed noun is a word left behind. So the rule here is the
complement: every word counts that is not a closed-class word (articles, prepositions, pronouns, auxiliaries, ...,
which are few and listed below), not one of the words by which prompts ask for quality rather than for a thing, and
not a bare number. Adjectives and verbs count as well: "a *red* cube" can lose its red. In other languages every word
counts; mark words as ``[word]`` to choose them by hand.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..towers.tokens import Word

# The closed classes of English, lower case; contractions as the tokenizer's words keep them.
_CLOSED_CLASS = """
a an the this that these those some any each every either neither both all no none such another other others
i you he she it we they me him her us them my your his its our their mine yours hers ours theirs
myself yourself himself herself itself ourselves themselves one ones someone something anyone anything
everyone everything nobody nothing who whom whose which what whatever whoever where when why how while
about above across after against along among around as at atop before behind below beneath beside besides between
beyond by despite down during except for from in inside into like near next of off on onto out outside over past
per since than through throughout till to toward towards under underneath until unlike up upon via with within
without and but or nor so yet if because although though unless whereas then there here
be am is are was were been being do does did doing done have has had having can could may might must shall should
will would ought not n't don't doesn't isn't aren't it's that's there's
very too also just only even still much many more most less least few several lot lots quite rather really
two three four five six seven eight nine ten first second third
"""

# What prompts add to ask for quality, medium or framing; no thing that could be missing from the picture.
_QUALITY_WORDS = """
photo photos photograph photography picture image pic rendering render artwork art illustration painting drawing
masterpiece best good high highly quality detailed detail details intricate sharp focus realistic photorealistic
hyperrealistic ultra hd uhd fullhd hdr 4k 8k 16k resolution professional award winning trending artstation
deviantart unreal engine octane cinematic beautiful stunning amazing
"""

CLOSED_CLASS = frozenset(_CLOSED_CLASS.split())
QUALITY_WORDS = frozenset(_QUALITY_WORDS.split())


def is_content_word(word: str) -> bool:
    """Whether a picture can show the word, by the rule of this module."""
    plain = word.lower().replace("’", "'")
    return (
        plain not in CLOSED_CLASS
        and plain not in QUALITY_WORDS
        and any(character.isalpha() for character in plain)
        and (len(plain) > 1 or not plain.isascii())
    )


def are_content_words(words: Sequence[Word], prompt: str) -> tuple[bool, ...]:
    """For each word of a tokenized prompt whether a picture can show it: as it was written and as the tokenizer saw it
    ("don't" may have become "dont", a full-width letter a common one)."""
    return tuple(is_content_word(word.text) and is_content_word(prompt[slice(*word.span)]) for word in words)

from __future__ import annotations

import time

import pytest
import torch
from clip_explainability.core.towers import tokens
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_clips import tiny_clip


def texts_of(prompt):
    return [word.text for word in tokens.tokenize(tiny_clip("vit-cls"), [prompt]).words[0]]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a photo of a cat", ["a", "photo", "of", "a", "cat"]),
        ("Don't stop, red-brown CAT!", ["don't", "stop", "red", "brown", "cat"]),
        ("(supercalifragilistic:1.3)", ["supercalifragilistic", "1", "3"]),
        ("猫 and 🐱", ["猫", "and", "🐱"]),
        ("قطة صغيرة", ["قطة", "صغيرة"]),
        ("'quoted' words'", ["quoted", "words"]),
        ("...!?", []),
    ],
)
def test_words_are_what_a_person_calls_words(prompt, expected):
    assert texts_of(prompt) == expected


def test_a_words_tokens_decode_to_the_word():
    clip = tiny_clip("vit-cls")
    batch = tokens.tokenize(clip, ["two supercalifragilistic dogs, 🐱 don't"])
    for word in batch.words[0]:
        ids = batch.ids[0, list(word.positions)].tolist()
        assert clip.tokenizer.decode(ids).replace(" ", "") == word.text


def test_words_beyond_the_context_are_named():
    clip = tiny_clip("vit-cls")  # context 20: 18 tokens between start and end
    batch = tokens.tokenize(clip, [" ".join(f"cat{'s' * (i % 2)}" for i in range(20)) + " unicorn", "a cat"])
    assert batch.cut_off[0] == ("cat", "cats", "unicorn")
    assert batch.cut_off[1] == ()
    assert len(batch.words[0]) == 18
    warning = tokens.truncation_warning(batch)
    assert warning is not None
    assert "prompt 1" in warning
    assert "unicorn" in warning
    assert "prompt 2" not in warning


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_grouped_without_gaps(prompt):
    clip = tiny_clip("vit-cls")
    batch = tokens.tokenize(clip, [prompt])
    positions = [p for word in batch.words[0] for p in word.positions]
    assert set(positions) <= set(batch.content[0])
    special = {clip.tokenizer.sot_token_id, clip.tokenizer.eot_token_id}
    if not special & set(clip.tokenizer.encode(prompt)):
        assert batch.ids[0, list(batch.content[0])].ne(0).all() or "!" in prompt  # id 0 is "!"
        assert int(batch.ids[0].argmax()) == len(batch.content[0]) + 1


def test_hugging_face_tokenizers_group_by_offsets():
    """A SigLIP-style tokenizer: no start token, words from offsets, padding after."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<pad>": 0, "</s>": 1, "red": 2, "do": 3, "##g": 4, ",": 5}
    inner = Tokenizer(models.WordPiece(vocabulary, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    class FakeHFTokenizer:
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="</s>")

        @staticmethod
        def clean_fn(text):
            return text.lower()

        def __call__(self, prompts):
            rows = [self.tokenizer(p.lower())["input_ids"] for p in prompts]
            return torch.tensor([(row + [1] + [0] * 8)[:6] for row in rows])

    clip = tiny_clip("siglip")
    stand_in = type(clip)(clip.model, FakeHFTokenizer(), "stand-in")
    batch = tokens.tokenize(stand_in, ["Red, dog"])
    assert [(w.text, w.positions) for w in batch.words[0]] == [("red", (0,)), ("dog", (2, 3))]
    assert batch.content[0] == (0, 1, 2, 3)


def test_ten_thousand_words_take_no_longer_than_they_should():
    """Each word's tokens were once looked for among all tokens: 20 s."""
    clip = tiny_clip("vit-cls")
    prompt = " ".join(f"word{number}" for number in range(10_000))
    start = time.process_time()
    batch = tokens.tokenize(clip, [prompt])
    assert time.process_time() - start < 5
    assert len(batch.words[0]) + len(batch.cut_off[0]) >= 10_000
    assert batch.cut_off[0][-1] == "word9999"
    assert len(str(tokens.truncation_warning(batch))) < 300


@settings(deadline=None)
@given(st.text(alphabet="ab 猫🐱'-", max_size=30))
def test_every_word_has_the_tokens_that_overlap_it(prompt):
    clip = tiny_clip("vit-cls")
    text = clip.tokenizer.clean_fn(prompt)
    spans = [(i, i + 1) for i, character in enumerate(text) if not character.isspace()]
    _, words, _ = tokens._group(text, spans, list(range(len(spans))))
    literal = [
        (text[start:end], tuple(i for i, (a, b) in enumerate(spans) if a < end and b > start))
        for start, end in tokens.word_spans(text)
    ]
    assert [(word.text, word.positions) for word in words] == literal


def test_an_end_token_in_a_prompt_ends_it():
    """What a causal tower pools there, it never reads further."""
    batch = tokens.tokenize(tiny_clip("vit-cls"), ["a cat <end_of_text> and a dog"])
    assert [word.text for word in batch.words[0]] == ["a", "cat"]
    assert batch.cut_off[0][-3:] == ("and", "a", "dog")

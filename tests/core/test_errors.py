from __future__ import annotations

from clip_explainability.core.errors import InputError, UnsupportedFamilyError


def test_a_long_value_leaves_input_and_remedy_in_the_message() -> None:
    value = "word " * 10_000
    for kind in (InputError, UnsupportedFamilyError):
        message = str(kind(f"objects names {value!r}; choose one of: cat, dog"))
        assert len(message) < 2000
        assert message.startswith("objects names 'word word")
        assert message.endswith("choose one of: cat, dog")


def test_a_message_of_common_length_stays_as_it_is() -> None:
    message = "method is 'x'; choose one of: " + ", ".join(f"method {number}" for number in range(80))
    assert str(InputError(message)) == message

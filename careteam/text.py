"""What people write: trimmed, bounded, shown as it is. Pure."""

import unicodedata

# How many characters one may become by case folding (a few ligatures: three), and in reverse
# by composition. What compatibility adds to that (one Arabic character stands for eighteen) is
# refused, since keys are indexed.
LONGEST_FOLDED = 3
LONGEST_DECOMPOSED = 4


class BadText(ValueError):
    """A text that is not taken; the message says why, and quotes nothing of it."""


def tidy_text(text: str, most: int) -> str:
    """Return a message's `text` without the white space around it.

    Raises BadText where nothing can be seen in it, where it has more than `most` characters,
    and for what a database or an encoder refuses: NUL, half a surrogate pair.
    """
    text = text.strip()
    _check(text, most)
    if "\0" in text:
        raise BadText("has a NUL character.")
    return text


def tidy_name(name: str, most: int) -> str:
    """Return a room's `name` in Unicode's composed form, without the white space around it.

    Raises BadText as `tidy_text` does, and for control characters: a name is one line.
    """
    if len(name) <= LONGEST_DECOMPOSED * most:  # else not even composed
        name = unicodedata.normalize("NFC", name.strip())
    _check(name, most)
    if len(room_key(name)) > LONGEST_FOLDED * most:
        raise BadText(f"may have {most} characters at most.")
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise BadText("has a control character.")
    return name


def room_key(name: str) -> str:
    """Return what is the same for all spellings of a room's name.

    "ix", "IX" and the one character "Ⅸ" are one room, so that nobody writes into an open one
    beside the restricted one that they meant. (NFKC and case folding, as Unicode's identifiers
    are compared: Unicode Standard Annex #31, section 5; without invisible characters.)
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join("".join(filter(_is_seen, folded)).split())


def _check(text: str, most: int) -> None:
    if len(text) > most:
        raise BadText(f"may have {most} characters at most.")
    if not any(_is_seen(character) and not character.isspace() for character in text):
        raise BadText("may not be blank.")
    if any(unicodedata.category(character) == "Cs" for character in text):
        raise BadText("has half a surrogate pair, which is no text.")


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) != "Cf"

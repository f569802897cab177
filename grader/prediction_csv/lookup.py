"""Finds byte strings among known ones, a whole block at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Places = NDArray[np.intp]

WORD: Final = 8  # bytes
_LONGEST: Final = 64  # longer keys are rare; they are looked up one by one
PADDING: Final = bytes(_LONGEST + WORD)  # so that a word read at the last byte stays inside

KEEP: Final = np.array([(1 << (8 * kept)) - 1 for kept in range(WORD + 1)], dtype=np.uint64)
_GOLDEN: Final = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: Knuth's multiplicative hash
_MIX: Final = np.uint64(_GOLDEN)
_FOLD: Final = np.uint64(32)
_CHUNK: Final = 65_536
_FEW: Final = 64  # strings that are looked up as fast as their order would be
_ROOM: Final = 1024  # numbers up to four times as many as the keys, and this, are found by value


class Lookup:
    """Index of each of a set of distinct strings without NUL characters, as UTF-8.

    Keys that are plain numbers (no sign, no leading zero) are found by their value, others up to
    64 bytes by hash, with all their bytes compared: there are no false matches.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        words, start, width = _block_of(keys)
        self.longest_key = int(width.max(initial=0))  # bytes
        numbers = np.full(len(keys), -1, dtype=np.intp)
        for first in range(0, len(keys), _CHUNK):  # keeps temporary arrays small
            some = slice(first, first + _CHUNK)
            numbers[some] = plain_numbers(words, start[some], width[some])
        numbers[numbers >= 4 * len(keys) + _ROOM] = -1
        self._most = int(numbers.max(initial=-1)) + 1
        # One slot more than there are numbers stands for all that are none.
        self._by_number = np.full(self._most + 1, -1, dtype=np.int32)
        self._by_number[numbers] = np.arange(len(keys), dtype=np.int32)
        self._by_number[-1] = -1
        hashed = np.flatnonzero((numbers < 0) & (width > 0) & (width <= _LONGEST))
        self._hashed = _HashedKeys(hashed.astype(np.int32), words, start[hashed], width[hashed])
        self._long = {keys[row].encode(): row for row in np.flatnonzero(width > _LONGEST).tolist()}

    def find(self, words: Words, start: Places, width: Places) -> NDArray[np.int32]:
        """Give the index of each string, or -1.

        `words[i]` is the little-endian word at byte i of a block that ends with PADDING;
        string j is `width[j]` bytes from byte `start[j]` and holds no NUL.
        """
        if self._most:
            numbers = plain_numbers(words, start, width)
            numbers[numbers >= self._most] = -1
            found = self._by_number[numbers]
        else:
            found = np.full(len(start), -1, dtype=np.int32)
        if self._hashed.size:
            rows = np.flatnonzero(found < 0)
            if rows.size:
                found[rows] = self._hashed.find(words, start[rows], width[rows])
        if self._long:
            for row in np.flatnonzero(width > _LONGEST).tolist():
                found[row] = self._long.get(_text_at(words, int(start[row]), int(width[row])), -1)
        return found

    def find_all(self, strings: Sequence[str]) -> NDArray[np.int32]:
        """Give the index of each string, or -1; for the few that were read one by one."""
        found = self.find(*_block_of(strings))
        found[["\0" in string for string in strings]] = -1
        return found


class _Level(NamedTuple):
    seed: np.uint64
    shift: np.uint64
    slots: NDArray[np.int32]  # slot → row of the key matrix, or -1


class _HashedKeys:
    """Hash tables of keys: those that collide in one table go on to the next, smaller one."""

    def __init__(
        self, index: NDArray[np.int32], words: Words, start: Places, width: Places
    ) -> None:
        self.size = len(index)
        self._index = index
        self._num_words = -(-int(width.max(initial=0)) // WORD)
        self._keys = self._words_of(words, start, width)
        self._levels: list[_Level] = []
        left = np.arange(self.size)
        while left.size:
            bits = max(4, int(2 * left.size).bit_length())
            level = _Level(
                seed=np.uint64((2 * len(self._levels) + 1) * _GOLDEN % 2**64),
                shift=np.uint64(64 - bits),
                slots=np.full(1 << bits, -1, dtype=np.int32),
            )
            slots = _slots(level, [word[left] for word in self._keys])
            level.slots[slots] = left
            left = left[level.slots[slots] != left]
            self._levels.append(level)

    def find(self, words: Words, start: Places, width: Places) -> NDArray[np.int32]:
        key = self._words_of(words, start, width)
        rows = self._in_order(key, width)
        if rows is not None:
            return self._index[rows]
        found = self._find(key, width)
        return np.where(found < 0, found, self._index[found])

    def _in_order(self, key: list[Words], width: Places) -> slice | None:
        """The rows of strings that are keys one after another, as in most files; None if not."""
        if len(width) < _FEW or int(width.max()) > self._num_words * WORD:
            return None
        first = int(self._find([word[:1] for word in key], width[:1])[0])
        rows = slice(first, first + len(width))
        if first < 0 or rows.stop > self.size:
            return None
        known = (word[rows] for word in self._keys)
        return rows if all(map(np.array_equal, known, key)) else None

    def _find(self, key: list[Words], width: Places) -> NDArray[np.int32]:
        """The row of each string in the matrix of keys, or -1."""
        found = np.full(len(width), -1, dtype=np.int32)
        left = np.flatnonzero((width > 0) & (width <= self._num_words * WORD))
        key = [word[left] for word in key]
        for level in self._levels:
            row = level.slots[_slots(level, key)]
            same = row >= 0
            for known, word in zip(self._keys, key, strict=True):
                same &= known[row] == word
            found[left[same]] = row[same]
            left, key = left[~same], [word[~same] for word in key]
            if not left.size:
                break
        return found

    def _words_of(self, words: Words, start: Places, width: Places) -> list[Words]:
        """Give the first, second… word of each string, with zeros behind its end."""
        return [
            words[start + skipped] & KEEP[np.clip(width - skipped, 0, WORD)]
            for skipped in range(0, self._num_words * WORD, WORD)
        ]


def _slots(level: _Level, key: Sequence[Words]) -> Places:
    mixed = np.zeros_like(key[0])
    for word in key:
        mixed ^= word
        mixed ^= mixed >> _FOLD
        mixed *= level.seed
    mixed ^= mixed >> _FOLD
    mixed *= _MIX
    return (mixed >> level.shift).astype(np.intp)


_ZEROS: Final = np.uint64(0x3030303030303030)
_ABOVE_NINE: Final = np.uint64(0x7676767676767676)
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
_LOW_BYTE: Final = np.uint64(0xFF)
# Shifting by these puts the last digit into the highest byte and zeros before the first.
_ALIGN: Final = np.array([0, *range(56, -1, -8), 0], dtype=np.uint64)
# Adds neighbours: 8 digits → 4 pairs → 2 fours → 1 number (D. Lemire, "Quickly parsing eight
# digits", 2018).
_STEPS: Final = tuple(
    (np.uint64(factor), np.uint64(shift), np.uint64(mask))
    for factor, shift, mask in (
        (10, 8, 0x00FF00FF00FF00FF),
        (100, 16, 0x0000FFFF0000FFFF),
        (10_000, 32, 0x00000000FFFFFFFF),
    )
)


def plain_numbers(words: Words, start: Places, width: Places) -> Places:
    """Read strings of one to eight ASCII digits without leading zeros: intp; -1 for others."""
    first = words[start]
    digits = first ^ _ZEROS
    digits <<= _ALIGN[np.minimum(width, WORD + 1)]
    other = ((digits | (digits + _ABOVE_NINE)) & _HIGH_BITS) != 0
    other |= ((first & _LOW_BYTE) == ord("0")) & (width > 1)
    other |= (width < 1) | (width > WORD)
    for factor, shift, mask in _STEPS:
        digits = (digits * factor + (digits >> shift)) & mask
    numbers = digits.astype(np.intp)
    numbers[other] = -1
    return numbers


def as_words(block: bytes) -> Words:
    """View a block as the overlapping little-endian 64-bit words that start at each byte."""
    count = len(block) - WORD + 1
    return np.ndarray((count,), dtype="<u8", buffer=block, strides=(1,))


def _block_of(strings: Sequence[str]) -> tuple[Words, Places, Places]:
    """Join strings to one block: its words, and start and width of each string in bytes."""
    block = "\n".join(strings).encode() + b"\n"
    ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n"))
    if len(ends) != len(strings):  # there are none, or one holds a newline
        lengths = (len(string.encode()) for string in strings)
        ends = np.cumsum(np.fromiter(lengths, dtype=np.intp, count=len(strings)) + 1) - 1
    start = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    return as_words(block + PADDING), start, ends - start


def _text_at(words: Words, start: int, width: int) -> bytes:
    return words[start : start + width].astype(np.uint8).tobytes()

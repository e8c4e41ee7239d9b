"""Live ranges (bits of integers) as runs of points."""

from collections.abc import Iterator


def segments(taken: int) -> Iterator[tuple[int, int]]:
    """The runs ``[begin, end)`` of ones in a live range."""
    begin = 0
    while taken:
        zeros = (taken & -taken).bit_length() - 1
        taken >>= zeros
        ones = (~taken & (taken + 1)).bit_length() - 1
        yield begin + zeros, begin + zeros + ones
        begin += zeros + ones
        taken >>= ones

"""The printed form of a kernel: pinned once, read back, refused with a line when wrong."""

import pytest

from oxegg.errors import IRError
from oxegg.ir import Kernel, parse, to_text

SOFTMAX = """\
kernel softmax
%0 = input x [rows=4, cols=8] : f32 {cols=8, rows=4}
%1 = reduce max cols %0 : f32 {rows=4}
%2 = sub %0 %1 : f32 {cols=8, rows=4}
%3 = exp %2 : f32 {cols=8, rows=4}
%4 = reduce add cols %3 : f32 {rows=4}
%5 = div %3 %4 : f32 {cols=8, rows=4}
output out %5 [rows=4, cols=8]
"""

EVERYTHING = """\
kernel everything
%0 = input x [n=6] : f32 {n=6}
%1 = input i [k=3] : u8 {k=3}
%2 = at %0 [n := 2*a + b + 1] : f32 {a=2, b=2}
%3 = at %0 [n := -1*n + 5] : f32 {n=6}
%4 = at %0 [n := 3] : f32 {}
%5 = gather n %3 %1 : f32 {k=3}
%6 = concat n [k=3 %5, . %4, z=2 %4] : f32 {n=6}
%7 = scan add n %6 : f32 {n=6}
%8 = iota n : i64 {n=6}
%9 = convert %8 : f32 {n=6}
%10 = const 0x80000000 : f32 {}  # -0.0
%11 = state s t : f32 {n=6, t=4}
%12 = mul %11 %9 : f32 {n=6, t=4}
%13 = iota t : i32 {t=4}
%14 = convert %13 : f32 {t=4}
%15 = add %12 %14 : f32 {n=6, t=4}
%16 = fold t 0 [s: %11 %10 %15] : f32 {n=6}
%17 = add %7 %16 : f32 {n=6}
output view %2 [a=2, b=2] shape [4]
output total %17 [n=6]
"""


@pytest.mark.parametrize("text", [SOFTMAX, EVERYTHING], ids=["softmax", "everything"])
def test_round_trip(text: str) -> None:
    kernel = parse(text)
    printed = to_text(kernel)
    assert parse(printed) == kernel
    assert to_text(parse(printed)) == printed


def test_printing_is_pinned() -> None:
    assert to_text(parse(SOFTMAX)) == SOFTMAX


def test_comments_and_spaces_do_not_matter() -> None:
    spaced = SOFTMAX.replace(" = ", "   =  ").replace("\n", "  # so\n\n# alone\n")
    assert parse(spaced) == parse(SOFTMAX)


def changed(old: str, new: str) -> Kernel:
    assert old in EVERYTHING
    return parse(EVERYTHING.replace(old, new, 1), "kernel.txt")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("scan add n %6", "scan add q %6", 9, "axis q is not an axis"),
        ("scan add n %6", "scan sum n %6", 9, "sum is not a reduction"),
        ("scan add n %6", "sacn add n %6", 9, "unknown operation sacn"),
        ("%7 = scan add n %6 : f32 {n=6}", "%7 = scan add n %6", 9, "ends in"),
        ("%7 = scan add n %6 : f32 {n=6}", "%7 = scan add n %6 : f32 {n=7}", 9, "otherwise"),
        ("%7 = scan add n %6 : f32", "%7 = scan add n %6 : f64", 9, "otherwise"),
        ("%7 = scan add n %6 : f32", "%7 = scan add n %6 : g32", 9, "unknown element type g32"),
        ("%7 = scan", "%6 = scan", 9, "defined twice"),
        ("scan add n %6", "scan add n %66", 9, "unknown term %66"),
        ("scan add n %6", "scan add n %6 %6", 9, "unexpected %6"),
        ("2*a + b + 1", "2*a + b + 3", 4, "runs from 3 to 6"),
        ("2*a + b + 1", "2*a + c + 1", 4, "no axis c"),
        ("2*a + b + 1", "2*a + ", 4, "expected a name"),
        ("k=3 %5, . %4", "k=3 %5 . %4", 8, "expected ,"),
        ("0x80000000", "0x180000000", 12, "more than the 32 bits"),
        ("0x80000000", "1.5", 12, "unexpected ."),
        ("fold t 0", "fold t 1", 18, "no state number 1"),
        ("fold t 0", "fold n 0", 18, "do not run along n"),
        ("[s: %11", "[r: %11", 18, "not the state"),
        ("add %12 %14", "add %12", 17, "expected more"),
        ("input x [n=6]", "input x [n=6", 2, "expected ,"),
        ("input x", "input ?", 2, "can't read '? [n=6]"),
        ("output total", "outptu total", 21, "expected a definition"),
        ("shape [4]", "shape [5]", None, "shape (5,) does not fit"),
        ("input i", "input x", None, "input x occurs twice"),
        ("output total %17 [n=6]", "output total %17 []", None, "lacks n"),
        ("output total %17 [n=6]", "output s %15 [n=6, t=4]", None, "outside of its loop"),
    ],
)
def test_errors_name_the_line(old: str, new: str, line: int | None, message: str) -> None:
    with pytest.raises(IRError) as caught:
        changed(old, new)
    assert message in caught.value.message
    assert caught.value.where == (f"kernel.txt:{line}" if line else "kernel.txt")

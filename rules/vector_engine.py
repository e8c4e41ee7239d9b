"""The vector engine (RVV 1.0): every instruction as the algebra it computes.

Section numbers refer to the RISC-V "V" Vector Extension 1.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from oxegg.ir.types import BF16, BOOL, F16, F32, F64, FLOATS, INTEGERS, TYPES, ElementType
from oxegg.isa import TABLE
from oxegg.rules.derived_forms import derived_selections
from oxegg.rules.integers import WIDER
from oxegg.rules.pattern import Apply, Pattern, apply, constant, convert, variables
from oxegg.rules.selection import Encoding, Form, Place, Selection

x, y, z, c, old = variables("x y z c old")
VECTOR_FLOATS = (F16, F32, F64)


def _form(
    instruction: str,
    operands: str,
    assembly: str,
    type_: ElementType,
    *,
    sew: ElementType | None = None,
    result: Place = "v",
    tied: str | None = None,
    more: tuple[Encoding, ...] = (),
) -> Form:
    """``operands`` like "x:v y:s", ``assembly`` like "d x y"."""
    pairs: list[tuple[str, Place]] = []
    for item in operands.split():
        name, _, place = item.partition(":")
        assert place in ("v", "s", "m")
        pairs.append((name, place))
    words = tuple(int(w) if w.lstrip("-").isdigit() else w for w in assembly.split())
    places = "".join(place for _, place in pairs)
    key = f"{instruction}/{'-'.join(n for n, _ in pairs)}/{places}/{sew or type_}/{type_}"
    encodings = (Encoding(instruction, words, tied), *more)
    return Form(key, tuple(pairs), encodings, sew or type_, type_, result)


def _suffix(type_: ElementType) -> str:
    return "vf" if type_.is_float else "vx"


def _unsigned(type_: ElementType) -> str:
    return "u" if type_.kind == "uint" else ""


def _binary(
    operator: str, name: str, type_: ElementType, reverse: str | None = None, result: Place = "v"
) -> Iterator[Selection]:
    """vv and v-scalar forms; ``reverse`` is the instruction whose scalar is the left operand."""
    pattern = apply(operator, x, y, of=type_)
    to = BOOL if result == "m" else type_
    scalar = _suffix(type_)

    def form(instruction: str, operands: str, assembly: str) -> Selection:
        return Selection(
            pattern, _form(instruction, operands, assembly, to, sew=type_, result=result)
        )

    yield form(f"{name}.vv", "x:v y:v", "d x y")
    yield form(f"{name}.{scalar}", "x:v y:s", "d x y")
    if reverse:
        yield form(f"{reverse}.{scalar}", "x:s y:v", "d y x")


def _float_arithmetic(t: ElementType) -> Iterator[Selection]:
    """Section 13: vector floating-point instructions."""
    yield from _binary("add", "vfadd", t, "vfadd")
    yield from _binary("sub", "vfsub", t, "vfrsub")
    yield from _binary("mul", "vfmul", t, "vfmul")
    yield from _binary("div", "vfdiv", t, "vfrdiv")
    yield from _binary("minnum", "vfmin", t, "vfmin")
    yield from _binary("maxnum", "vfmax", t, "vfmax")
    yield from _binary("copysign", "vfsgnj", t)
    one = (("one", 1.0),)
    reciprocal = apply("reciprocal", x, of=t)
    yield Selection(reciprocal, _form("vfrdiv.vf", "x:v one:s", "d x one", t), constants=one)
    for operator, instruction, assembly in (
        ("neg", "vfsgnjn.vv", "d x x"),
        ("abs", "vfsgnjx.vv", "d x x"),
        ("sqrt", "vfsqrt.v", "d x"),
        ("reciprocal_estimate", "vfrec7.v", "d x"),
        ("rsqrt_estimate", "vfrsqrt7.v", "d x"),
    ):
        yield Selection(apply(operator, x, of=t), _form(instruction, "x:v", assembly, t))
    for operator, accumulate, multiply in (
        ("fma", "vfmacc", "vfmadd"),
        ("fms", "vfmsac", "vfmsub"),
        ("fnma", "vfnmsac", "vfnmsub"),
    ):
        yield from _multiply_add(apply(operator, x, y, z, of=t), t, accumulate, multiply, "vf")
    for operator, instruction, reverse in (
        ("eq", "vmfeq", "vmfeq"),
        ("ne", "vmfne", "vmfne"),
        ("lt", "vmflt", "vmfgt"),
        ("le", "vmfle", "vmfge"),
    ):
        pattern = Apply(operator, (x, y), t, BOOL)
        yield from _compare(pattern, instruction, reverse, t)


def _multiply_add(
    pattern: Pattern, t: ElementType, accumulate: str, multiply: str, scalar: str
) -> Iterator[Selection]:
    """The destination replaces the addend (``accumulate``) or a factor (``multiply``)."""
    yield Selection(
        pattern,
        _form(
            f"{accumulate}.vv", "x:v y:v z:v", "d x y", t, tied="z",
            more=(Encoding(f"{multiply}.vv", ("d", "y", "z"), "x"),
                  Encoding(f"{multiply}.vv", ("d", "x", "z"), "y")),
        ),
    )  # fmt: skip
    for name, other in (("x", "y"), ("y", "x")):
        yield Selection(
            pattern,
            _form(
                f"{accumulate}.{scalar}",
                f"{name}:s {other}:v z:v",
                f"d {name} {other}",
                t,
                tied="z",
                more=(Encoding(f"{multiply}.{scalar}", ("d", name, "z"), other),),
            ),
        )


def _compare(
    pattern: Pattern, instruction: str, reverse: str | None, t: ElementType
) -> Iterator[Selection]:
    scalar = _suffix(t)
    rows = [
        (f"{instruction}.vv", "x:v y:v", "d x y"),
        (f"{instruction}.{scalar}", "x:v y:s", "d x y"),
    ]
    if reverse:
        rows.append((f"{reverse}.{scalar}", "x:s y:v", "d y x"))
    for name, operands, assembly in rows:
        yield Selection(pattern, _form(name, operands, assembly, BOOL, sew=t, result="m"))


def _integer_arithmetic(t: ElementType) -> Iterator[Selection]:
    """Section 11: vector integer arithmetic."""
    u = _unsigned(t)
    for operator, name, reverse in (
        ("add", "vadd", "vadd"),
        ("sub", "vsub", "vrsub"),
        ("mul", "vmul", "vmul"),
        ("and", "vand", "vand"),
        ("or", "vor", "vor"),
        ("xor", "vxor", "vxor"),
        ("min", f"vmin{u}", f"vmin{u}"),
        ("max", f"vmax{u}", f"vmax{u}"),
        ("shl", "vsll", None),
        ("shr", "vsrl" if u else "vsra", None),
        ("quotient", f"vdiv{u}", None),
        ("remainder", f"vrem{u}", None),
        ("mulh", f"vmulh{u}", f"vmulh{u}"),
    ):
        yield from _binary(operator, name, t, reverse)
    yield Selection(apply("neg", x, of=t), _form("vrsub.vi", "x:v", "d x 0", t))
    yield Selection(apply("not", x, of=t), _form("vxor.vi", "x:v", "d x -1", t))
    product = apply("add", apply("mul", x, y, of=t), z, of=t)
    yield from _multiply_add(product, t, "vmacc", "vmadd", "vx")
    difference = apply("sub", z, apply("mul", x, y, of=t), of=t)
    yield from _multiply_add(difference, t, "vnmsac", "vnmsub", "vx")
    for operator, instruction, reverse in (
        ("eq", "vmseq", "vmseq"),
        ("ne", "vmsne", "vmsne"),
        ("lt", f"vmslt{u}", f"vmsgt{u}"),
        ("le", f"vmsle{u}", None),
    ):
        yield from _compare(Apply(operator, (x, y), t, BOOL), instruction, reverse, t)


def _widening(narrow: ElementType, wide: ElementType) -> Iterator[Selection]:
    """Sections 11.2, 11.12: the operands are half as wide as the result."""
    u = _unsigned(narrow)
    a, b = convert(x, narrow, wide), convert(y, narrow, wide)
    product = apply("mul", a, b, of=wide)
    for name, operands, assembly in (
        (f"vwmul{u}.vv", "x:v y:v", "d x y"),
        (f"vwmul{u}.vx", "x:v y:s", "d x y"),
        (f"vwmul{u}.vx", "x:s y:v", "d y x"),
    ):
        yield Selection(product, _form(name, operands, assembly, wide, sew=narrow))
    for operator in ("add", "sub"):
        both = apply(operator, a, b, of=wide)
        for name, operands in (
            (f"vw{operator}{u}.vv", "x:v y:v"),
            (f"vw{operator}{u}.vx", "x:v y:s"),
        ):
            yield Selection(both, _form(name, operands, "d x y", wide, sew=narrow))
        one = apply(operator, z, b, of=wide)
        for name, operands in (
            (f"vw{operator}{u}.wv", "z:v y:v"),
            (f"vw{operator}{u}.wx", "z:v y:s"),
        ):
            yield Selection(one, _form(name, operands, "d z y", wide, sew=narrow))
    total = apply("add", product, z, of=wide)
    for name, operands in (
        (f"vwmacc{u}.vv", "x:v y:v z:v"),
        (f"vwmacc{u}.vx", "x:s y:v z:v"),
        (f"vwmacc{u}.vx", "y:s x:v z:v"),
    ):
        first, second = (item[0] for item in operands.split()[:2])
        yield Selection(
            total, _form(name, operands, f"d {first} {second}", wide, sew=narrow, tied="z")
        )


def _conversions() -> Iterator[Selection]:
    for of in INTEGERS:
        for to in INTEGERS:
            if (to.bits > of.bits and not (of.is_signed and not to.is_signed)) or to.bits > of.bits:
                yield _extension(of, to)
            elif to.bits * 2 == of.bits:
                pattern = convert(x, of, to)
                yield Selection(pattern, _form("vnsrl.wi", "x:v", "d x 0", to, sew=to))
                shift = "vnsra" if of.is_signed else "vnsrl"
                shifted = convert(apply("shr", x, y, of=of), of, to)
                yield Selection(shifted, _form(f"{shift}.wx", "x:v y:s", "d x y", to, sew=to))
                if of.is_signed == to.is_signed:
                    yield _saturating_narrowing(of, to)
        for to in VECTOR_FLOATS:
            yield from _integer_to_float(of, to)
    for of in VECTOR_FLOATS:
        for to in INTEGERS:
            yield from _float_to_integer(of, to)
    for narrow, wide in ((F16, F32), (F32, F64)):
        yield Selection(
            convert(x, narrow, wide), _form("vfwcvt.f.f.v", "x:v", "d x", wide, sew=narrow)
        )
        yield Selection(
            convert(x, wide, narrow), _form("vfncvt.f.f.w", "x:v", "d x", narrow, sew=narrow)
        )
    yield Selection(convert(x, BF16, F32), _form("vfwcvtbf16.f.f.v", "x:v", "d x", F32, sew=BF16))
    yield Selection(convert(x, F32, BF16), _form("vfncvtbf16.f.f.w", "x:v", "d x", BF16, sew=BF16))


def _saturating_narrowing(of: ElementType, to: ElementType) -> Selection:
    """Section 12.5: without a shift nothing is rounded."""
    name = "vnclip.wi" if of.is_signed else "vnclipu.wi"
    low, high = constant(to.minimum), constant(to.maximum)
    lifted = apply("max", x, low, of=of) if of.is_signed else x
    clipped = apply("min", lifted, high, of=of)
    return Selection(convert(clipped, of, to), _form(name, "x:v", "d x 0", to, sew=to))


def _extension(of: ElementType, to: ElementType) -> Selection:
    name = f"v{'s' if of.is_signed else 'z'}ext.vf{to.bits // of.bits}"
    return Selection(convert(x, of, to), _form(name, "x:v", "d x", to))


def _integer_to_float(of: ElementType, to: ElementType) -> Iterator[Selection]:
    code = "x" if of.is_signed else "xu"
    names = {
        1.0: (f"vfcvt.f.{code}.v", to),
        2.0: (f"vfwcvt.f.{code}.v", of),
        0.5: (f"vfncvt.f.{code}.w", to),
    }
    found = names.get(to.bits / of.bits)
    if found:
        yield Selection(convert(x, of, to), _form(found[0], "x:v", "d x", to, sew=found[1]))


def _float_to_integer(of: ElementType, to: ElementType) -> Iterator[Selection]:
    code = "x" if to.is_signed else "xu"
    shapes = {1.0: ("vfcvt", "f.v", to), 2.0: ("vfwcvt", "f.v", of), 0.5: ("vfncvt", "f.w", to)}
    found = shapes.get(to.bits / of.bits)
    if found is None:
        return
    name, tail, sew = found
    for operator, rounding in (("convert", "rtz."), ("to_int", "")):
        instruction = f"{name}.{rounding}{code}.{tail}"
        pattern = convert(x, of, to, operator)
        yield Selection(pattern, _form(instruction, "x:v", "d x", to, sew=sew))


def _selects(t: ElementType) -> Iterator[Selection]:
    """Section 11.15, 13.15: merges take the mask in v0."""
    pattern = apply("select", c, x, y, of=t)
    scalar = "vfmerge.vfm" if t.is_float else "vmerge.vxm"
    yield Selection(pattern, _form("vmerge.vvm", "c:m x:v y:v", "d y x c", t))
    yield Selection(pattern, _form(scalar, "c:m x:s y:v", "d y x c", t))


def _masked(rows: Iterable[Selection]) -> Iterator[Selection]:
    """select(c, x op y, z): the operation under a mask, over the old value (section 5.3)."""
    for row in rows:
        form, pattern = row.form, row.pattern
        plain = len(form.operands) == 2 and form.result == "v" and form.sew == form.type
        if not plain or not isinstance(pattern, Apply) or row.constants or row.reduction:
            continue
        if any(place == "m" for _, place in form.operands) or form.encodings[0].tied:
            continue
        encoding = form.encodings[0]
        operands: tuple[tuple[str, Place], ...] = (("c", "m"), *form.operands, ("old", "v"))
        masked = Form(
            f"masked {form.key}", operands,
            (Encoding(encoding.instruction, (*encoding.assembly, "c"), "old"),),
            form.sew, form.type, masked=True,
        )  # fmt: skip
        yield Selection(apply("select", c, pattern, old, of=form.type), masked)


def _masks() -> Iterator[Selection]:
    """Section 15.1: mask-register logical instructions."""
    for operator, instruction in (
        ("and", "vmand.mm"),
        ("or", "vmor.mm"),
        ("xor", "vmxor.mm"),
        ("ne", "vmxor.mm"),
        ("eq", "vmxnor.mm"),
    ):
        pattern = Apply(operator, (x, y), BOOL, BOOL)
        yield Selection(pattern, _form(instruction, "x:m y:m", "d x y", BOOL, result="m"))
    inverted = apply("not", x, of=BOOL)
    yield Selection(inverted, _form("vmnand.mm", "x:m", "d x x", BOOL, result="m"))


def _accumulations() -> Iterator[Selection]:
    """Reductions as repeated instructions on an accumulator that stays in its register."""
    for t in VECTOR_FLOATS:
        for operator, name in (
            ("add", "vfadd"),
            ("mul", "vfmul"),
            ("minnum", "vfmin"),
            ("maxnum", "vfmax"),
        ):
            yield _accumulate(operator, x, f"{name}.vv", "acc:v x:v", "d acc x", t, t)
        product = apply("mul", x, y, of=t)
        for scalar, operands in ((False, "x:v y:v"), (True, "x:s y:v"), (True, "y:s x:v")):
            name = "vfmacc.vf" if scalar else "vfmacc.vv"
            first, second = (item[0] for item in operands.split())
            yield _accumulate(
                "add", product, name, f"{operands} acc:v", f"d {first} {second}", t, t, "real"
            )
    for t in INTEGERS:
        u = _unsigned(t)
        for operator, name in (
            ("add", "vadd"), ("mul", "vmul"), ("min", f"vmin{u}"), ("max", f"vmax{u}"),
            ("and", "vand"), ("or", "vor"), ("xor", "vxor"),
        ):  # fmt: skip
            yield _accumulate(operator, x, f"{name}.vv", "acc:v x:v", "d acc x", t, t)
        product = apply("mul", x, y, of=t)
        for name, operands in (
            ("vmacc.vv", "x:v y:v"),
            ("vmacc.vx", "x:s y:v"),
            ("vmacc.vx", "y:s x:v"),
        ):
            first, second = (item[0] for item in operands.split())
            yield _accumulate(
                "add", product, name, f"{operands} acc:v", f"d {first} {second}", t, t
            )
        narrower = [n for n, w in WIDER.items() if w.bits == t.bits]
        for narrow in narrower:
            if narrow.is_signed and not t.is_signed:
                continue
            yield from _widening_accumulations(narrow, t)


def _widening_accumulations(narrow: ElementType, wide: ElementType) -> Iterator[Selection]:
    u = _unsigned(narrow)
    a, b = convert(x, narrow, wide), convert(y, narrow, wide)
    yield _accumulate("add", a, f"vwadd{u}.wv", "acc:v x:v", "d acc x", wide, narrow)
    product = apply("mul", a, b, of=wide)
    for name, operands in (
        (f"vwmacc{u}.vv", "x:v y:v"),
        (f"vwmacc{u}.vx", "x:s y:v"),
        (f"vwmacc{u}.vx", "y:s x:v"),
    ):
        first, second = (item[0] for item in operands.split())
        yield _accumulate(
            "add", product, name, f"{operands} acc:v", f"d {first} {second}", wide, narrow
        )


def _accumulate(
    operator: str,
    body: Pattern,
    instruction: str,
    operands: str,
    assembly: str,
    type_: ElementType,
    sew: ElementType,
    kind: str = "exact",
) -> Selection:
    form = _form(instruction, operands, assembly, type_, sew=sew, tied="acc")
    return Selection(body, form, "real" if kind == "real" else "exact", operator)


LANE_REDUCTIONS: dict[tuple[str, str], str] = {
    **{("add", k): "vredsum.vs" for k in ("int", "uint")},
    ("add", "float"): "vfredusum.vs",
    ("minnum", "float"): "vfredmin.vs",
    ("maxnum", "float"): "vfredmax.vs",
    ("min", "int"): "vredmin.vs",
    ("max", "int"): "vredmax.vs",
    ("min", "uint"): "vredminu.vs",
    ("max", "uint"): "vredmaxu.vs",
    **{(op, k): f"vred{op}.vs" for op in ("and", "or", "xor") for k in ("int", "uint")},
}
"""Section 14: (reduction, kind of type) to the instruction that folds the lanes of a register."""


def _rows() -> Iterator[Selection]:
    for t in VECTOR_FLOATS:
        yield from _float_arithmetic(t)
        yield from _masked(_float_arithmetic(t))
    for t in INTEGERS:
        yield from _integer_arithmetic(t)
        yield from _masked(_integer_arithmetic(t))
    for narrow, wide in WIDER.items():
        yield from _widening(narrow, wide)
        if not narrow.is_signed:
            signed = TYPES[f"i{wide.bits}"]
            yield from _widening(narrow, signed)
    yield from _conversions()
    for t in (*FLOATS, *INTEGERS):
        yield from _selects(t)
    yield from _masks()
    yield from _accumulations()


def _derived(written: Sequence[Selection]) -> Iterator[Selection]:
    """Rows read off the records of instructions that no row above names, where they are new."""
    names = {encoding.instruction for row in written for encoding in row.form.encodings}
    known = {_algebra(row) for row in written}
    records = (record for record in TABLE.values() if record.name not in names)
    rows = [row for row in derived_selections(records) if _algebra(row) not in known]
    yield from rows
    maskable = [row for row in rows if TABLE[row.form.encodings[0].instruction].reads_v0]
    yield from _masked(maskable)


def _algebra(row: Selection) -> tuple[object, ...]:
    """What a row computes of operands in which places."""
    return row.pattern, row.form.operands, row.form.type, row.reduction


WRITTEN: tuple[Selection, ...] = tuple(_rows())
SELECTIONS: tuple[Selection, ...] = (*WRITTEN, *_derived(WRITTEN))
FORMS: dict[str, Form] = {row.form.key: row.form for row in SELECTIONS}

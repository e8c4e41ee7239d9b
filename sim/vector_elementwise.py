"""Elementwise vector instructions: semantics to a Python function on register views."""

from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.isa import Instruction
from oxegg.isa.semantics import Apply, Expression, Name, names
from oxegg.sim import ieee
from oxegg.sim.domain import Domain, NoMeaning, context_for
from oxegg.sim.domains import DomainContext, has_elements, has_float, is_move
from oxegg.sim.element_code import FLOAT_RESULT, RING, ElementCode
from oxegg.sim.host_float import (
    bf16_narrow,
    canonical,
    fma_array,
    minimum_number,
    store_float,
    to_int_array,
)
from oxegg.sim.integers import quotient_array, remainder_array, round_shift
from oxegg.sim.reference import Context, raises_flags
from oxegg.sim.vector_groups import Group, scalar_format
from oxegg.sim.vector_views import Views

Array = npt.NDArray[Any]
UFUNCS = {"add": "np.add", "sub": "np.subtract", "mul": "np.multiply", "and": "np.bitwise_and",
          "or": "np.bitwise_or", "xor": "np.bitwise_xor"}  # fmt: skip
FLOAT_UFUNCS = {"fadd": "np.add", "fsub": "np.subtract", "fmul": "np.multiply",
                "fdiv": "np.divide"}  # fmt: skip
HELPERS: dict[str, Any] = {
    "np": np, "fma_array": fma_array, "minimum_number": minimum_number,
    "store_float": store_float, "to_int_array": to_int_array, "canonical": canonical,
    "quotient_array": quotient_array, "remainder_array": remainder_array,
    "round_shift": round_shift,
}  # fmt: skip


def saturator(views: Views) -> Callable[[Array, int, int], Array]:
    """Clamping that records in vxsat whether it changed any active element."""

    def saturate(values: Array, low: int, high: int) -> Array:
        clamped = np.minimum(np.maximum(values, low), high)
        changed = clamped != values
        if (changed & views.mask() if views.masked else changed).any():
            views.state.vxsat = 1
        return clamped

    return saturate


def elementwise(
    record: Instruction, groups: dict[str, Group], views: Views, sew: int
) -> Callable[..., None]:
    """The function of one elementwise instruction; arguments are its scalar operands' values."""
    expression = record.statements[0].value
    widths = {name: group.width for name, group in groups.items()}
    widths |= {o.name: sew for o in record.operands if o.kind in ("x", "f", "imm")}
    scalars = [o.name for o in record.operands if o.kind in ("x", "f", "imm")]
    code = ElementCode(widths, sew, widths["vd"], views.config.vxrm)
    accrue = views.state.track_flags and raises_flags(record)
    domain = views.state.domain
    if domain is not None and not has_float(record) and not is_move(record):
        plain = _generated(record, groups, views, code, scalars, sew)
        opaque = _by_reference(record, groups, views, widths, scalars, sew, integers=True)
        return _guarded(domain, plain, opaque, groups, views)
    foreign = domain is not None and has_float(record)
    if accrue or foreign or _needs_reference(expression, views.config.frm):
        return _by_reference(record, groups, views, widths, scalars, sew)
    return _generated(record, groups, views, code, scalars, sew)


def _guarded(
    domain: Domain,
    plain: Callable[..., None],
    opaque: Callable[..., None],
    groups: dict[str, Group],
    views: Views,
) -> Callable[..., None]:
    """Integer arithmetic, ``opaque`` where it meets elements of a number domain."""
    sources = [
        views.elements(group, views.vl)
        for group in groups.values()
        if group.operand.reads and group.width > 1
    ]

    def guarded(*arguments: int) -> None:
        if not has_elements(sources):
            plain(*arguments)
        elif domain.holds_bits:
            opaque(*arguments)
        else:
            raise NoMeaning("integer arithmetic on a float", domain.name)

    return guarded


def _generated(
    record: Instruction,
    groups: dict[str, Group],
    views: Views,
    code: ElementCode,
    scalars: list[str],
    sew: int,
) -> Callable[..., None]:
    """The instruction as generated NumPy code."""
    expression, widths = record.statements[0].value, dict(code.widths)
    lines = _scalar_lines(record, scalars, sew)
    lines += [f"{name}_u = mask_bits_{name}()" for name, group in groups.items()
              if group.width == 1 and name != "vd"]  # fmt: skip
    reads = set(names(expression))
    if "v0" in reads:
        lines.append("v0_u = mask_bits_v0()")
    lines += _write_lines(code, expression, groups["vd"], views)
    source = f"def operation({', '.join(scalars)}):\n  " + "\n  ".join(lines)
    namespace = HELPERS | _bindings(groups, views, widths, scalars, reads)
    exec(_compiled(source), namespace)
    operation: Callable[..., None] = namespace["operation"]
    return operation


@lru_cache(maxsize=4096)
def _compiled(source: str) -> CodeType:
    return compile(source, "<vector instruction>", "exec")


def _scalar_lines(record: Instruction, scalars: list[str], sew: int) -> list[str]:
    """Statements that put scalar operands into one-element arrays of SEW bits."""
    mask = (1 << sew) - 1
    lines: list[str] = []
    for operand in record.operands:
        if operand.name not in scalars:
            continue
        name = operand.name
        if operand.kind == "f" and sew < 64:
            # A value that isn't NaN-boxed counts as the canonical NaN.
            boxed = (1 << (64 - sew)) - 1
            lines.append(
                f"{name}_u[0] = {name} & {mask} if {name} >> {sew} == {boxed} "
                f"else {scalar_format(record, sew).nan}"
            )
        else:
            lines.append(f"{name}_u[0] = {name} & {mask}")
    return lines


def _write_lines(code: ElementCode, e: Expression, target: Group, views: Views) -> list[str]:
    """Statements that compute the result and write it."""
    plain = not views.masked
    tail = ["tail[:] = 255"] if plain and views.tail(target, views.vl) is not None else []
    if target.width == 1:
        return [f"write_mask({code.exact(e).source})"]
    if not code.is_float(e):
        if plain and isinstance(e, Apply) and e.operation in RING and code.constant(e) is None:
            a, b = (code.low_bits(argument, target.width) for argument in e.arguments)
            return [f"{UFUNCS[e.operation]}({a}, {b}, vd_u)", *tail]
        return [f"write({code.low_bits(e, target.width)})"]
    if plain and isinstance(e, Apply) and e.operation in FLOAT_UFUNCS:
        a, b = (code.float(argument) for argument in e.arguments)
        return [
            f"{FLOAT_UFUNCS[e.operation]}({a}, {b}, vd_f)",
            "square = vd_f.dot(vd_f)",
            "if square != square: vd_f[...] = canonical(vd_f)",
            *tail,
        ]
    if plain:
        return [f"store_float({code.float(e)}, vd_f)", *tail]
    return [f"result_f[...] = 0; store_float({code.float(e)}, result_f)", "write(result_u)"]


def _bindings(
    groups: dict[str, Group],
    views: Views,
    widths: dict[str, int],
    scalars: list[str],
    reads: set[str],
) -> dict[str, Any]:
    """Names that the generated source uses."""
    found: dict[str, Any] = {"saturate": saturator(views), "bf16_narrow": bf16_narrow}
    found["by_element"] = _by_element
    for name, group in groups.items():
        if group.width == 1:
            found[f"mask_bits_{name}"] = lambda r=group.register: views.bits(r, views.vl)
        else:
            found |= _typed(name, views.elements(group, views.vl))
    for name in scalars:
        found |= _typed(name, np.zeros(1, f"u{widths[name] // 8}"))
    if "v0" in reads:
        found["mask_bits_v0"] = lambda: views.bits(0, views.vl)
    target = groups["vd"]
    if target.width == 1:
        found["write_mask"] = views.mask_writer(target.register)
    else:
        found["write"] = views.writer(target)
        found["tail"] = views.tail(target, views.vl)
        found |= _typed("result", np.zeros(views.vl, f"u{target.width // 8}"))
    return found


def _typed(name: str, array: Array) -> dict[str, Array]:
    """An unsigned array under its three names."""
    size = array.dtype.itemsize
    views = {f"{name}_u": array, f"{name}_i": array.view(f"i{size}")}
    return views | ({f"{name}_f": array.view(f"f{size}")} if size > 1 else {})


def _by_element(operation: str, bits: Array, width: int) -> Array:
    """An operation that has no array form, by the reference interpreter."""
    e = Apply(operation, (Name("value"),))
    source_width = 8 * bits.dtype.itemsize
    results = [
        Context({"value": int(value)}, {"value": source_width}, width).evaluate(e) for value in bits
    ]
    return np.array(results, f"u{width // 8}")


def _needs_reference(e: Expression, frm: int) -> bool:
    """Whether the fast path can't round as asked."""
    if frm == ieee.NEAREST_EVEN or not isinstance(e, Apply):
        return False
    rounding = set(FLOAT_RESULT) - {"fneg", "fmin", "fmax"}
    rounding |= {"fcvt", "s_to_f", "u_to_f", "f_to_s", "f_to_u", "frec7", "bf16_narrow"}
    return e.operation in rounding or any(_needs_reference(a, frm) for a in e.arguments)


def _by_reference(
    record: Instruction,
    groups: dict[str, Group],
    views: Views,
    widths: dict[str, int],
    scalars: list[str],
    sew: int,
    integers: bool = False,
) -> Callable[..., None]:
    """The instruction by the reference interpreter, element by element.

    ``integers``: it computes with integers that may be elements of a number domain.
    """
    expression = record.statements[0].value
    target = groups["vd"]
    vectors = {n: views.elements(g, views.vl) for n, g in groups.items() if g.width > 1}
    write = views.mask_writer(target.register) if target.width == 1 else views.writer(target)
    mask = (1 << sew) - 1
    nan = scalar_format(record, sew).nan if record.is_float and sew in ieee.FORMATS else 0
    is_float = {o.name for o in record.operands if o.kind == "f"}
    flags, make = views.state.flags, context_for(views.state.domain)
    compute: Callable[..., int] = DomainContext.bits if integers else Context.evaluate

    def operation(*arguments: int) -> None:
        fixed = {
            name: value & mask
            if name not in is_float or value >> sew == (1 << (64 - sew)) - 1
            else nan
            for name, value in zip(scalars, arguments, strict=True)
        }
        active = np.flatnonzero(views.mask()) if views.masked else range(views.vl)
        results = np.zeros(views.vl, f"u{max(8, target.width) // 8}")
        for i in active:
            values = fixed | {name: int(array[i]) for name, array in vectors.items()}
            context = make(values, widths, target.width, sew, views.config.frm, flags)
            results[i] = compute(context, expression) & ((1 << target.width) - 1)
        write(results)

    return operation

"""The file with new loops in it."""

from collections.abc import Iterator, Sequence

from oxegg.emit.assembler import lines_of
from oxegg.emit.program import Operation, Register
from oxegg.emit.source.instructions import hardware
from oxegg.emit.source.pipelines import BEHIND, KERNEL, SLOW, SourcePipeline
from oxegg.emit.source.proof import in_hardware, new_text
from oxegg.emit.source.symbolic import Item, Label
from oxegg.isa import assembly


def rewritten(lines: Sequence[str], pipelines: Sequence[SourcePipeline]) -> str:
    """``lines`` of the file with each pipeline in place of its loop."""
    result: list[str] = []
    position = 0
    for pipeline in sorted(pipelines, key=lambda p: p.loop.first):
        loop = pipeline.loop
        result += lines[position : loop.first]
        old = lines[loop.first : loop.last + 1]
        if pipeline.guards:
            result += _with_slow_path(pipeline, old)
        else:
            result += _in_place(pipeline, old)
        position = loop.last + 1
    return "\n".join([*result, *lines[position:]]) + "\n"


def heading(pipeline: SourcePipeline) -> str:
    """What heads the kernel: II, bound, status."""
    found = pipeline.found
    return (
        f"# loop {pipeline.loop.label}: II {float(found.cycles):g}, bound {float(found.bound):g} "
        f"({found.parts.limit}), {found.status}, {found.schedule.stages} stages"
    )


def _with_slow_path(pipeline: SourcePipeline, old: Sequence[str]) -> Iterator[str]:
    text = in_hardware(new_text(pipeline), pipeline)
    names = _names(pipeline)
    slow = next(i for i, item in enumerate(text) if item == Label(SLOW))
    yield heading(pipeline)
    yield from _printed(text[:slow], names)
    yield f"{names[SLOW]}:"
    yield from old
    yield f"{names[BEHIND]}:"


def _in_place(pipeline: SourcePipeline, old: Sequence[str]) -> Iterator[str]:
    text = in_hardware(new_text(pipeline), pipeline)
    yield heading(pipeline)
    # The label may be named elsewhere in the file, so it stays; a number stays a number.
    yield old[0][: old[0].index(":") + 1]
    label, _, local = pipeline.loop.label.partition("@")
    names = {**_names(pipeline), KERNEL: f"{label}b" if local else label}
    yield from _printed([item for item in text if item != Label(KERNEL)], names)


def _names(pipeline: SourcePipeline) -> dict[str, str]:
    stem = pipeline.loop.label.removeprefix(".L").replace("@", "_")
    return {role: f".L{stem}_{role}" for role in (KERNEL, SLOW, BEHIND)}


def _printed(text: Sequence[Item], names: dict[str, str]) -> Iterator[str]:
    for item in text:
        if isinstance(item, Label):
            yield f"{names[item.name]}:"
        else:
            yield f"    {_instruction(item, names)}"


def _instruction(operation: Operation, names: dict[str, str]) -> str:
    registers = [o for o in operation.operands if isinstance(o, Register)]
    (line,) = lines_of(operation, {r: hardware(r) for r in registers})
    target = line.operands[-1] if line.operands else None
    numbers = [value if isinstance(value, int) else 0 for value in line.operands]
    text = assembly(line.name, numbers)
    if isinstance(target, str):
        text = f"{text.rsplit(None, 1)[0]} {names[target]}"
    return text

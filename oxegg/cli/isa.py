"""``oxegg isa``: the instruction table, and single instructions to words and back."""

import argparse
import re
from pathlib import Path

from oxegg.cli.operands import parse_operands
from oxegg.cli.options import add_common_options
from oxegg.cli.output import put_json, show, table, write_atomically
from oxegg.errors import UsageError
from oxegg.isa import TABLE, Instruction, assembly, decode, encode
from oxegg.isa.manual import manual

EXAMPLE = """\
  oxegg isa list vfmacc
  oxegg isa encode 'vfmacc.vf v8, fa0, v16, v0.t'
  oxegg isa decode 0xb1055457
  oxegg isa doc -o docs/isa"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs of ``oxegg isa``."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="every instruction, or those whose name matches")
    listing.add_argument("pattern", nargs="?", default="", help="a regular expression")
    listing.add_argument("--extension", metavar="NAME", help="only this extension, such as V")
    listing.set_defaults(run=_list)
    coder = verbs.add_parser("encode", help="one instruction as a 32-bit word")
    coder.add_argument("text", metavar="'NAME OPERANDS'")
    coder.set_defaults(run=_encode)
    decoder = verbs.add_parser("decode", help="32-bit words as assembly text")
    decoder.add_argument("words", nargs="+", metavar="WORD")
    decoder.set_defaults(run=_decode)
    writer = verbs.add_parser("doc", help="the ISA manual, one Markdown page per extension")
    writer.add_argument(
        "-o", "--output", metavar="DIR", default="docs/isa", help="folder to write (docs/isa)"
    )
    writer.set_defaults(run=_doc)
    for verb in (listing, coder, decoder, writer):
        add_common_options(verb)


def _list(arguments: argparse.Namespace) -> int:
    try:
        pattern = re.compile(arguments.pattern)
    except re.error as error:
        raise UsageError(f"{arguments.pattern!r} is not a regular expression: {error}") from None
    rows = [
        _row(instruction)
        for instruction in TABLE.values()
        if pattern.search(instruction.name) and arguments.extension in (None, instruction.extension)
    ]
    if not put_json(rows, arguments.json):
        show(table(("name", "operands", "extension", "timing class"), [_cells(r) for r in rows]))
    return 0


def _row(instruction: Instruction) -> dict[str, object]:
    return {
        "name": instruction.name,
        "syntax": instruction.syntax,
        "extension": instruction.extension,
        "timing": instruction.timing,
        "encoding": instruction.encoding,
        "semantics": instruction.semantics,
    }


def _cells(row: dict[str, object]) -> tuple[object, ...]:
    return tuple(row[field] for field in ("name", "syntax", "extension", "timing"))


def _encode(arguments: argparse.Namespace) -> int:
    name, _, operands = arguments.text.strip().partition(" ")
    if name not in TABLE:
        raise UsageError(
            f"there is no instruction {name!r}", hint="`oxegg isa list` shows all of them"
        )
    values = parse_operands(operands, TABLE[name])
    word = encode(name, values)
    row = {"word": f"{word:#010x}", "assembly": assembly(name, values)}
    if not put_json(row, arguments.json):
        show(f"{row['word']}  {row['assembly']}")
    return 0


def _decode(arguments: argparse.Namespace) -> int:
    rows: list[dict[str, str]] = []
    for text in arguments.words:
        try:
            word = int(text, 16)
        except ValueError:
            raise UsageError(
                f"{text!r} is not a hexadecimal word", hint="write it like 0xb1055457"
            ) from None
        instruction, values = decode(word)
        rows.append({"word": f"{word:#010x}", "assembly": assembly(instruction.name, values)})
    if not put_json(rows, arguments.json):
        show(*(f"{row['word']}  {row['assembly']}" for row in rows))
    return 0


def _doc(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.output)
    pages = manual()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            write_atomically(folder / name, text)
    except OSError as error:
        raise UsageError(f"cannot write the manual: {error}", where=str(folder)) from error
    files = [str(folder / name) for name in pages]
    if not put_json({"files": files}, arguments.json):
        show(f"{len(files)} pages in {folder}")
    return 0

"""Shows a compile report: ``render_html`` as one page, ``summarize`` in short on the terminal.

A report is the mapping that ``report.json`` holds. Besides the fields promised there, four more
are shown where present: ``assembly`` (the text of the ``.s`` file), ``chain`` (rows of ``rule``,
``class``, ``before``, ``after``), ``egraph.growth`` (rows of ``phase``, ``nodes``, ``classes``) and
``checks`` (rows of ``name``, ``passed``, ``detail``). A field that is absent or null is shown as
"not measured".
"""

from oxegg.report.html import render_html
from oxegg.report.terminal import summarize, summarize_many

__all__ = ["render_html", "summarize", "summarize_many"]

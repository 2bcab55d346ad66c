"""What is on the Compare page as one HTML file that needs nothing else: charts as vector graphics, tables, settings.

The charts are drawn by vl-convert, which is Altair's own way to SVG: it needs no browser and asks no other host.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from datetime import datetime
from html import escape
from importlib.util import find_spec

from mnist_lab import __version__
from mnist_lab.runs.study import Study
from mnist_lab.ui.compare_blocks import (
    BODY,
    Block,
    Cell,
    Column,
    Folded,
    Heading,
    Picture,
    Pictures,
    Said,
    Table,
    Text,
    cell_text,
)
from mnist_lab.ui.compare_data import Variant, names
from mnist_lab.ui.compare_tables import settings_table

MISSING = (
    "The report needs the package vl-convert-python, which is not installed. Run: pip install -r requirements.txt, and "
    "start the lab again."
)
WIDTH = 760  # pixels of a chart that fills the page
LOOK = {
    "background": "white", "font": "sans-serif", "view": {"stroke": None},
    "axis": {"labelFontSize": 12, "titleFontSize": 13, "titleFontWeight": "normal"}, "legend": {"labelFontSize": 12},
}
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #111; background: #fff; max-width: 960px; margin: 2rem auto;
  padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd; }
svg { max-width: 100%; height: auto; }
figure { margin: 1rem 0; }
.side { display: flex; flex-wrap: wrap; gap: 1rem; }
.side figure { margin: 0; }
.caption, figcaption.small { color: #555; font-size: 0.9rem; }
.warning { background: #fff3cd; padding: 0.6rem 1rem; }
.notice { background: #e7f1fa; padding: 0.6rem 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
th { border-bottom-color: #888; }
td.number { text-align: right; }
td.differs { background: #f0e442; }
dl { margin: 0.5rem 0 1rem; }
dt { float: left; clear: left; font-weight: 600; margin-right: 0.5rem; }
dt::after { content: ":"; }
dd { margin: 0; }
summary { font-weight: 600; cursor: pointer; margin: 0.5rem 0; }
pre { overflow-x: auto; background: #f5f5f5; padding: 0.6rem; }
"""


def can_draw() -> bool:
    """Whether what draws the charts is installed."""
    return find_spec("vl_convert") is not None


def report_html(title: str, chosen: Sequence[Variant], blocks: Sequence[Block], studies: Sequence[Study],
                link: str) -> str:
    """The report.

    Args:
        title: of the part of the page.
        chosen: the variants that the blocks are about; none for a part about studies.
        blocks: what is on the screen.
        studies: those that the blocks are about.
        link: the page's query, so that the same can be opened again.
    """
    made = f"{datetime.now().astimezone():%Y-%m-%d %H:%M}"
    head = f"Made by MNIST Lab {__version__} on {made}."
    if link:
        head += f" The same on the lab's page: /compare?{link}"
    parts = [
        f"<h1>Compare: {escape(title)}</h1>", f'<p class="caption">{escape(head)}</p>', *map(_html, blocks),
        "<h2>How it was made</h2>", *map(_study, studies), *(_settings(chosen) if chosen else ()),
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)} - MNIST Lab</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h2>{escape(block.text)}</h2>"
    if isinstance(block, Text):
        lead = f"<strong>{escape(block.lead)}.</strong> " if block.lead else ""
        kind = "" if block.kind == BODY else f' class="{block.kind}"'
        return f"<p{kind}>{lead}{escape(block.text)}</p>"
    if isinstance(block, Picture):
        return _figure(block)
    if isinstance(block, Pictures):
        return f'<div class="side">{"".join(map(_figure, block.pictures))}</div>'
    if isinstance(block, Table):
        return _table(block)
    assert isinstance(block, Folded)
    inner = "\n".join(map(_html, block.blocks))
    return f"<details open>\n<summary>{escape(block.title)}</summary>\n{inner}\n</details>"


def _figure(block: Picture) -> str:
    spec = block.chart.to_dict()
    said = f"<figcaption>{escape(block.takeaway)}</figcaption>" if block.takeaway else ""
    label = escape(str(spec.get("description", "")), quote=True)
    return f'<figure role="group" aria-label="{label}">{svg(spec, block.width or WIDTH)}{said}</figure>'


def svg(spec: dict, width: int) -> str:
    """A Vega-Lite chart as an SVG element of about that width in pixels."""
    import vl_convert

    sized = {"autosize": {"type": "fit", "contains": "padding"}, **spec, "config": LOOK, "width": width}
    drawn = vl_convert.vegalite_to_svg(sized, allowed_base_urls=[])
    # Ids would be those of other charts in the same file too.
    mark = f"c{zlib.crc32(json.dumps(sized).encode()):x}-"
    drawn = re.sub(r'\bid="', f'id="{mark}', drawn)
    return re.sub(r"url\(#", f"url(#{mark}", drawn)


def _table(block: Table) -> str:
    head = "".join(f'<th scope="col">{escape(column.name)}</th>' for column in block.columns)
    rows = "\n".join(
        "<tr>" + "".join(
            _cell(value, column, (line, place) in block.marked)
            for place, (value, column) in enumerate(zip(row, block.columns, strict=True))
        ) + "</tr>"
        for line, row in enumerate(block.rows)
    )
    label = escape(block.alt, quote=True)
    return (
        f'<div class="wide"><table aria-label="{label}">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>'
        f"</table></div>{_helps(block.columns)}"
    )


def _cell(value: Cell, column: Column, marked: bool) -> str:
    kinds = ["number"] * (column.digits is not None or isinstance(value, Said)) + ["differs"] * marked
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    return f"<td{kind}>{escape(cell_text(value, column, marked))}</td>"


def _helps(columns: Sequence[Column]) -> str:
    """What the columns are, which on the page is said where one points at their names. Those that are alike at once."""
    about: dict[str, list[str]] = {}
    for column in columns:
        if column.help:
            about.setdefault(column.help, []).append(column.name)
    lines = "".join(
        f"<dt>{escape(', '.join(called))}</dt><dd>{escape(help)}</dd>" for help, called in about.items()
    )
    return f'<dl class="caption">{lines}</dl>' if lines else ""


def _study(study: Study) -> str:
    machines = sorted({_made_on(run.made_on) for run in study.runs})
    seeds = sorted({run.seed for run in study.runs})
    text = (
        f"{study.title}: {len(study.runs)} runs of {len(study.settings())} settings with the seeds "
        f"{', '.join(map(str, seeds))}, made by {study.command}, on {'; '.join(machines)}. Test images: "
        f"{study.data.get('test_images')}, checksum {study.data.get('checksum')}."
    )
    configs = {name: study.config(name).to_dict() for name in study.settings()}
    return f"<p>{escape(text)}</p>\n{_json('All settings of this study (JSON)', configs)}"


def _settings(chosen: Sequence[Variant]) -> list[str]:
    called = names(chosen)
    columns = (
        Column("Variant"), Column("From"), Column("Seeds"), Column("Made on"), Column("Data"), Column("Test images", 0),
    )
    rows = [
        (
            name, one.kind, ", ".join(map(str, one.seeds)),
            "; ".join(sorted({_made_on(member.made_on) for member in one.members})),
            f"{one.data.get('source')}, checksum {str(one.data.get('checksum'))[:12]}", one.data.get("test_images"),
        )
        for name, one in zip(called, chosen, strict=True)
    ]
    configs = {name: one.config.to_dict() for name, one in zip(called, chosen, strict=True)}
    return [
        _table(Table(columns, rows, "", "Where the runs come from")), "<h2>Settings</h2>",
        _table(settings_table(chosen, called)), _json("The same as JSON", configs),
    ]


def _made_on(made: dict) -> str:
    versions = [f"{name} {value}" for name, value in made.items() if name not in ("device", "threads") and value]
    return ", ".join([f"{made.get('device')}, threads {made.get('threads')}", *versions])


def _json(title: str, values: dict) -> str:
    text = escape(json.dumps(values, indent=1))
    return f"<details><summary>{escape(title)}</summary><pre>{text}</pre></details>"

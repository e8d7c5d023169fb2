"""Draws the result as an SVG: one panel of bars for each of the rows that tell most."""

from xml.sax.saxutils import escape

from .report import number, times

# The panels, in reading order, and their titles; rows that were not run are left out.
PANELS = {
    "c_h2_100": "C, HTTP/2, one connection, 100 streams",
    "py_h2_100": "Python asyncio, HTTP/2, one connection, 100 streams",
    "c_h1_100": "C, HTTP/1.1, 100 connections",
    "py_h1_100": "Python asyncio, HTTP/1.1, 100 connections",
    "sync_h2_1": "Python, one thread, one request after the other",
    "threads_h2_20": "Python, 20 threads on one client (x1: one thread)",
    "c_download": "C, 100 MB download",
    "sync_download": "Python, 100 MB download",
    "c_upload": "C, 100 MB upload",
    "sync_upload": "Python, 100 MB upload",
    "construct": "Client() and close(), after the first",
    "import": "import",
}

WIDTH = 960
MARGIN = 24
GAP = 36
COLUMN = (WIDTH - 2 * MARGIN - GAP) / 2
LABEL = 122  # room for the names
VALUE = 120  # room for the figures
BAR = 15
STEP = 22
TITLE = 34

OURS, REFERENCE, OTHERS = "#1f6feb", "#57606a", "#b6c2cf"
TEXT, FAINT = "#1f2328", "#656d76"


def text(x, y, what, size=12, colour=TEXT, anchor="start", weight="normal"):
    return ('<text x="%.1f" y="%.1f" font-size="%d" fill="%s" text-anchor="%s" font-weight="%s">'
            '%s</text>' % (x, y, size, colour, anchor, weight, escape(what)))


def is_ours(result):
    return result["client"].startswith("requestx") and result["client"] != "requestx-pypi"


def colour(result, row):
    if is_ours(result):
        return OURS
    reference = row["references"][0]
    one_thread = reference == "own" and result["label"].endswith(" x1")
    return REFERENCE if one_thread or result["label"] == reference else OTHERS


def name_of(result):
    return {"requestx-pypi": "requestx (PyPI)"}.get(result["label"], result["label"])


def panel(row, x, y):
    """The shapes of one panel, and its height."""
    less = row["unit"] in ("us", "ms")
    shown = [result for result in row["results"] if result["figure"]]
    shown.sort(key=lambda result: result["figure"], reverse=not less)
    longest = max(result["figure"] for result in shown)
    room = COLUMN - LABEL - VALUE
    unit = row["unit"] + (", less is better" if less else "")
    shapes = [text(x, y + 12, PANELS[row["name"]], 13, weight="bold"),
              text(x, y + 27, unit, 11, FAINT)]
    top = y + TITLE
    for result in shown:
        length = max(1.5, room * result["figure"] / longest)
        shapes.append(text(x + LABEL - 8, top + 12, name_of(result), anchor="end",
                           weight="bold" if is_ours(result) else "normal"))
        shapes.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="2" fill="%s"/>'
                      % (x + LABEL, top, length, BAR, colour(result, row)))
        shapes.append(text(x + LABEL + length + 6, top + 12, value_of(result, row)))
        top += STEP
    return shapes, TITLE + STEP * len(shown) + 22


def value_of(result, row):
    """The figure, and how many times the row's first reference it is."""
    shown = number(result["figure"])
    name = row["references"][0]
    key = result["label"] + " x1" if name == "own" else name
    ratio = result["ratios"].get(key)
    if ratio is None:
        return shown
    return "%s  (%s\u00d7)" % (shown, times(ratio))


def legend(y):
    shapes, x = [], MARGIN
    for fill, what in ((OURS, "requestx"), (REFERENCE, "the reference (1.00\u00d7)"),
                       (OTHERS, "others")):
        shapes.append('<rect x="%d" y="%d" width="12" height="12" rx="2" fill="%s"/>'
                      % (x, y - 10, fill))
        shapes.append(text(x + 18, y, what))
        x += 40 + 7 * len(what)
    return shapes


def draw(data):
    """The SVG of the contents of a scorecard's JSON file."""
    rows = {row["name"]: row for row in data["rows"] if any(r["figure"] for r in row["results"])}
    chosen = [rows[name] for name in PANELS if name in rows]
    where = data["machine"]
    shapes = [text(MARGIN, 34, "requestx beside other HTTP clients", 18, weight="bold"),
              text(MARGIN, 54, "nginx over TLS on loopback, median of %d; %s, %s cores; %s"
                   % (data["repeat"], where["cpu"], where["cores"], data["when"][:10]), 12, FAINT),
              *legend(78)]
    top = 104
    for left in range(0, len(chosen), 2):
        tallest = 0
        for column, row in enumerate(chosen[left:left + 2]):
            drawn, height = panel(row, MARGIN + column * (COLUMN + GAP), top)
            shapes += drawn
            tallest = max(tallest, height)
        top += tallest
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
            'font-family="system-ui, -apple-system, Segoe UI, DejaVu Sans, sans-serif">\n'
            '<rect width="100%%" height="100%%" fill="white"/>\n%s\n</svg>\n'
            % (WIDTH, top, WIDTH, top, "\n".join(shapes)))

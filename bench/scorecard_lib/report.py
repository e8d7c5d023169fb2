"""Turns results into the printed tables and the JSON."""

import os
import platform

from .rows import targets
from .runner import figure_key, ratio


def machine():
    """What the figures were measured on."""
    model = ""
    try:
        with open("/proc/cpuinfo") as file:
            model = next((line.split(":", 1)[1].strip() for line in file
                          if line.startswith("model name")), "")
    except OSError:
        pass
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.platform()}


def figure(row, result):
    """The figure of the median run, in the row's unit; None if there is none."""
    if not result["median"]:
        return None
    value = result["median"][figure_key(row)]
    return value / 1000 if row.unit == "ms" else value


def reference_of(row, result, results, index=0):
    """The result to divide by: the row's |index|th, or for "own" the label with " x1"."""
    if index >= len(row.refs):
        return None
    name = row.refs[index]
    if name == "own":
        name = result["label"] + " x1"
    return results.get(name) if name != result["label"] else None


def finish(row, results):
    """Adds the ratios to the results of a row."""
    for result in results.values():
        result["figure"] = figure(row, result)
        result["ratios"] = {}
        for index in range(len(row.refs)):
            reference = reference_of(row, result, results, index)
            value = ratio(row, result, reference) if reference else None
            if value is not None:
                result["ratios"][reference["label"]] = value
    return {"name": row.name, "title": row.title, "unit": row.unit,
            "references": row.refs, "results": list(results.values())}


def spread(result, key):
    """How far the runs lie apart, in percent of the median."""
    values = [sample[key] for sample in result["samples"]]
    return (max(values) - min(values)) / result["median"][key] * 100 if values else 0


def number(value):
    """Three significant digits or more, with commas."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return "{:,.0f}".format(value)
    return "{:.3g}".format(value) if abs(value) < 10 else "{:.1f}".format(value)


def times(value):
    if value is None:
        return ""
    return "%.3f" % value if value < 0.1 else ("%.2f" % value if value < 10 else "%.1f" % value)


def print_row(row, data, out):
    ref_names = ["own x1" if name == "own" else name for name in row.refs]
    out("")
    out("%s: %s" % (row.name, row.title))
    head = "  %-18s %11s" % ("", row.unit)
    for name in ref_names:
        head += " %11s" % ("x " + name)
    out(head + "  CPU us/req   peak MB  conns  spread")
    for result in data["results"]:
        if not result["median"]:
            out("  %-18s %s: %s" % (result["label"], result["status"], result["reason"]))
            continue
        line = "  %-18s %11s" % (result["label"], number(result["figure"]))
        for name in row.refs:
            key = result["label"] + " x1" if name == "own" else name
            line += " %11s" % times(result["ratios"].get(key))
        median = result["median"]
        line += "  %10s %9.1f  %5s  %5.0f%%" % (
            number(median["cpu_us"]), median["rss_kb"] / 1024,
            "-" if row.program else "%d" % median["connections"], spread(result, figure_key(row)))
        if result["status"] != "ok":
            line += "  (%s: %s)" % (result["status"], result["reason"])
        elif result["note"]:
            line += "  (%s)" % result["note"]
        out(line)


def judge(rows, finished):
    """What must be shown, with its figures: [{text, figure, goal, met}]; met None: not run."""
    made = []
    for target in targets():
        value = target_value(target, rows, finished)
        under = target.ref == ""
        met = None if value is None else (value < target.goal if under else value >= target.goal)
        made.append({"text": target.text, "row": target.row, "figure": value,
                     "goal": target.goal, "under": under, "met": met})
    return made


def target_value(target, rows, finished):
    data = finished.get(target.row)
    if not data:
        return None
    by_label = {result["label"]: result for result in data["results"]}
    ours = by_label.get(target.label)
    if not ours or not ours["samples"]:
        return None
    if not target.ref:
        return ours["figure"]
    theirs = by_label.get(target.ref)
    return ratio(rows[target.row], ours, theirs) if theirs else None


def print_judgement(judged, out):
    out("")
    out("What must be shown, in one run, medians:")
    out("  %-64s %9s  %9s" % ("measure", "figure", "target"))
    words = {True: "met", False: "NOT MET", None: "not run"}
    for line in judged:
        goal = ("< " if line["under"] else ">= ") + "%g" % line["goal"]
        value = line["figure"]
        shown = "-" if value is None else ("%.1f" % value if line["under"] else times(value))
        out("  %-64s %9s  %9s  %s" % (line["text"], shown, goal, words[line["met"]]))

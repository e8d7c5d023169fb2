"""Plays every case before every user, and leaves a record of each for the table (table.py)."""

import json
import os
from pathlib import Path

import pytest

from hostile.cases import CASES
from hostile.play import play

# Those that RQX_HOSTILE_USERS names; all, if nobody is named.
USERS = os.environ.get("RQX_HOSTILE_USERS", "").split()
ALL = [(case.key, user) for case in CASES.values() for user in case.users if not USERS or user in USERS]


@pytest.mark.parametrize("key, user", ALL, ids=[f"{user}-{key}" for key, user in ALL])
def test_hostile(key, user, ca, probe_program):
    record = play(CASES[key], user, ca)
    note(record)
    assert not record["problems"], "; ".join(record["problems"])


def note(record):
    """Where RQX_HOSTILE names a directory, what happened is kept there."""
    if "RQX_HOSTILE" in os.environ:
        name = f"{record['family']}-{record['name']}-{record['user']}.json"
        (Path(os.environ["RQX_HOSTILE"]) / name).write_text(json.dumps(record))

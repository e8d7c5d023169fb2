"""A short run of tests/soak: that it runs, and that it would notice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.netrelay import find_netrelay

SOAK = Path(__file__).resolve().parent.parent / "soak"


def soak(*arguments, timeout=55, **environment):
    relay = find_netrelay()
    if relay is None or not (Path(relay).parent.parent / "soak" / "driver").is_file():
        pytest.skip("netrelay and the driver were not built: make check")
    return subprocess.run(
        [sys.executable, str(SOAK / "soak.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
    )


@pytest.mark.slow
@pytest.mark.stress
def test_a_short_soak():
    done = soak("--seconds", "6", "--seed", "7")
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert " 0 lost, 0 duplicated, 0 hung, 0 wrong, 0 counters off" in last


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.parametrize("lie", ["twice", "wrong-bytes"])
def test_a_soak_notices(lie):
    """A server that processes twice, or answers with another's bytes."""
    done = soak("--seconds", "3", "--seed", "7", RQX_SOAK_LIE=lie)
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 1
    assert (" 0 duplicated" if lie == "twice" else " 0 wrong") not in last

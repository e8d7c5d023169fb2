"""Fixtures of the integration tests; those of the servers are in ../conftest.py."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from probe import MODES, Probe, find_probe  # noqa: E402


@pytest.fixture(scope="session")
def probe_program():
    program = find_probe()
    if program is None:
        pytest.skip("the probe was not built: make check, or RQX_PROBE=path")
    return program


@pytest.fixture
def probe(probe_program, ca):
    """probe(mode="embedded", **options) -> Probe that trusts the tests' CA; ends with the test, and
    has to end well."""
    made = []

    def build(mode="embedded", **options):
        options.setdefault("ca", ca.ca_file)
        made.append(Probe(mode, probe_program, **options))
        return made[-1]

    yield build
    for one in made:
        status = one.close()
        if one.check and (status != 0 or one.stderr):
            text = one.stderr.decode("utf-8", "replace")
            pytest.fail(f"the probe ended with status {status}:\n{text}", pytrace=False)
        if one.ended_twice():
            pytest.fail(f"ended more than once: {one.ended_twice()}", pytrace=False)


@pytest.fixture(params=MODES)
def any_probe(request, probe):
    """The same factory, once for each driver mode."""
    return lambda **options: probe(request.param, **options)

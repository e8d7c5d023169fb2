"""The fixtures of the integration tests are these tests' too."""

from integration.conftest import probe_program  # noqa: F401

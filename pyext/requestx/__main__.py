"""`python -m requestx`."""

from ._main import main

main()

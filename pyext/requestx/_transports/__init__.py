"""What carries a request and brings its response: the engine, applications in this process, and tests' doubles."""

"""The distribution's name and version; the build replaces nothing here, a test compares it with the library's."""

__title__ = "requestx"
__description__ = "An HTTP/2-first client library, with the API of httpx."
__version__ = "0.1.0"

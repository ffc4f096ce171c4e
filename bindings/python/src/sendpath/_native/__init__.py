"""Generated code and the shared library. Not an API."""

"""The harness: edge host, inner host and the Internet as network namespaces, with real servers.

One `Stack` is everything a test, the quickstart or a benchmark needs; see stack.py."""
from .stack import Stack

__all__ = ["Stack"]

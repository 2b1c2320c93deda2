"""A load client that tracks state: many users at once, each reply checked against what it knows must
be in the mailboxes, and at the end the usage SQL holds against a recount."""
from .fleet import Fleet

__all__ = ["Fleet"]

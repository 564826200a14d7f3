"""Flows of ASGI applications: ``lowtide.asgi.Middleware(app)``."""

from lowtide.attach.asgi import Middleware

__all__ = ["Middleware"]

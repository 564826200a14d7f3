"""Flows of aiohttp applications: ``lowtide.aiohttp.setup(app)``."""

from lowtide.attach.aiohttp import setup

__all__ = ["setup"]

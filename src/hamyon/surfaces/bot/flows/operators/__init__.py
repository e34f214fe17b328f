"""The operators' pocket console. For whoever has no role none of it exists."""

from hamyon.surfaces.bot.flows.operators.routing import create_router

__all__ = ["create_router"]

"""The composition root: the only importer of providers."""

from hamyon.wiring.deps import Deps, open_deps
from hamyon.wiring.fit import UnfitSettings, check
from hamyon.wiring.parts import bot, gateways, wavespeed

__all__ = ["Deps", "UnfitSettings", "bot", "check", "gateways", "open_deps", "wavespeed"]

"""What the catalogue refuses."""

from __future__ import annotations

from hamyon.kit.errors import HamyonError, InvalidInput, NotFound


class ModelNotFound(NotFound):
    """Absent, or not for sale now: ``model``."""

    code = "model_not_found"


class ProviderNotFound(NotFound):
    """No ``provider`` of that name."""

    code = "provider_not_found"


class OptionNotSupported(HamyonError):
    """``option`` does not take ``value``, only ``allowed`` (empty: it has no such option)."""

    code = "option_not_supported"
    status = 400


class TooManyReferences(HamyonError):
    """More pictures than the model takes: ``limit`` and ``given``."""

    code = "too_many_references"
    status = 422


class InvalidPrice(InvalidInput):
    """A price that could not be charged, or whose rule could never match; ``problem`` says why."""

    code = "invalid_price"


class InvalidModel(InvalidInput):
    """A model that could not be sold so; ``problem`` says why."""

    code = "invalid_model"


class PackageNotFound(NotFound):
    """Absent, or not for sale now, or not in this way."""

    code = "package_not_found"


class InvalidPackage(InvalidInput):
    """A package that could not be sold so; ``problem`` says why."""

    code = "invalid_package"


class PackageKeyTaken(HamyonError):
    """There is a package of that key: ``package``."""

    code = "package_key_taken"
    status = 409

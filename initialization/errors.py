"""Why an initialization stops: each message is one line for a person."""

from __future__ import annotations

from db.errors import FewclickError, InvalidInputError


class ConfigError(InvalidInputError):
    """The YAML file cannot be right."""


class SourceError(InvalidInputError):
    """The images cannot be taken from where the YAML file says."""


class SessionExistsError(FewclickError):
    """The session folder is taken, and going on could harm what it holds."""


class ClusterError(FewclickError):
    """The cluster cannot do the work."""

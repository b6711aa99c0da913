"""Settings of the extraction service, from the environment (FEWCLICK_EXTRACTION_...), read once."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """How the service works; what it makes stands in the database."""

    model_config = SettingsConfigDict(env_prefix="FEWCLICK_EXTRACTION_", frozen=True)

    poll_interval_s: float = Field(default=0.05, gt=0, description="how often to look for new work while idle")
    retry_interval_s: float = Field(default=10.0, gt=0, description="before what failed as a whole is tried again")
    idle_exit_s: float = Field(default=30.0, ge=0, description="idleness after which the network leaves the memory")
    niceness: int = Field(default=10, ge=0, le=19, description="added to the process's, so that clicks come first")
    threads: int | None = Field(default=None, ge=1, description="of torch; left out: one for each core")
    courtesy_limit_s: float = Field(default=2.0, ge=0, description="longest rest before an image while a click waits")

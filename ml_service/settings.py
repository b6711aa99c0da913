"""Settings of one ML service process, from the environment (FEWCLICK_ML_...), read once."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """How the service works; what it learns stands in the database (`TrainingSettings`)."""

    model_config = SettingsConfigDict(env_prefix="FEWCLICK_ML_", frozen=True)

    poll_interval_s: float = Field(default=0.005, gt=0)
    tick_interval_s: float = Field(default=1.0, gt=0, description="heartbeat, and the look for dead workers")
    heartbeat_timeout_s: float = Field(default=10.0, gt=0, description="silence after which a worker counts as dead")
    live_checkpoint_delay_s: float = Field(default=1.0, ge=0, description="rest after a refit before the head is saved")
    live_checkpoints_kept: int = Field(
        default=20, ge=1, description="newest saved live heads; those with a name or a pin stay besides"
    )
    map_cache_bytes: int = Field(default=256 << 20, ge=0, description="feature maps of recently opened images")
    pooled_cache_bytes: int = Field(default=256 << 20, ge=0, description="pooled vectors")
    run_save_interval_s: float = Field(default=1.0, gt=0, description="training that a kill of the service may lose")
    run_least_images: int = Field(
        default=10, ge=2, description="held-out images from which on the head of a run may take over from the live head"
    )
    threads: int = Field(default=1, ge=1, description="of torch and BLAS: for small matrices one is the fastest")
    sweep_threads: int = Field(default=0, ge=0, description="of the background predictions; 0: as many as cores, to 4")
    quiet_s: float = Field(
        default=0.25, ge=0, description="without background work after a click was answered: the page paints then"
    )
    finetune_threads: int = Field(default=0, ge=0, description="of the process that fine-tunes; 0 takes all processors")
    finetune_niceness: int = Field(default=10, ge=0, le=19, description="how much it stands back behind the others")
    seed: int = 0

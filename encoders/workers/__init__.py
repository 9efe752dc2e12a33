"""One encoder on several devices: a process for each, all taking from one queue."""

from encoders.workers.encoder import WorkerEncoder

__all__ = ["WorkerEncoder"]

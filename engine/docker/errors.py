"""What dockerd answers when it refuses."""

from __future__ import annotations

from engine.errors import EngineError
from engine.say import plain


class DockerError(EngineError):
    """dockerd's answer. `message` is its text, which the docker command prints after "Error response from daemon: ";
    `code` the exit code of `docker run` for it (125; 126, 127 where the program could not be started)."""

    def __init__(self, message: str, code: int = 125) -> None:
        super().__init__(plain(f"Error response from daemon: {message}"))
        self.message = message
        self.code = code


class NoDaemon(EngineError):
    """Nobody listens on docker's socket."""

    TEXT = (
        "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the "
        "daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory"
    )

    def __init__(self) -> None:
        super().__init__(plain(self.TEXT))
        self.message = self.TEXT

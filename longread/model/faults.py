"""What can go wrong between here and the hub, said in a line and a hint.

Knows huggingface_hub's errors, those of its HTTP client and those of a disk. Knows no
file and retries nothing: it only tells which faults may pass.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from longread.errors import LongreadError, ModelError, OutputError

_BUSY = {408, 429, 500, 502, 503, 504}
_GOES_ON = "pull again later: it goes on where it stopped"


def host(endpoint: str) -> str:
    """The name of the hub, as it is told to the user."""
    return urlsplit(endpoint).netloc or endpoint


def status(error: BaseException) -> int | None:
    """The HTTP status that an error came with; None for one without an answer."""
    found = getattr(getattr(error, "response", None), "status_code", None)
    return found if isinstance(found, int) else None


def passing(error: BaseException) -> bool:
    """Whether the same request may do better in a moment: a busy server, a cut or silent connection."""
    from huggingface_hub.errors import HTTPError  # the base of its HTTP client's errors

    if status(error) is not None:
        return status(error) in _BUSY
    return isinstance(error, HTTPError | TimeoutError | ConnectionError) and not _offline(error)


def retry_after(error: BaseException) -> float | None:
    """Seconds that the server asks to wait; None where it does not say."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:  # none, or a date
        return None


def told(error: BaseException, repo: str, endpoint: str, folder: Path) -> LongreadError:
    """``error``, met fetching ``repo`` to ``folder``, as the user is told; raises it where it is unknown."""
    from huggingface_hub.errors import GatedRepoError, HTTPError, RepositoryNotFoundError

    hub = host(endpoint)
    if _offline(error):
        return ModelError(
            "HF_HUB_OFFLINE is set, so nothing is fetched", "unset HF_HUB_OFFLINE and pull again"
        )
    if isinstance(error, GatedRepoError):
        return ModelError(
            f"{repo} is gated: its owner wants you to agree to terms first",
            f"agree at {endpoint}/{repo}, log in with `hf auth login`, and pull again",
        )
    if isinstance(error, RepositoryNotFoundError) or status(error) == 404:
        return ModelError(
            f"{hub} has no model {repo}, or it is private",
            "check the name with `longread models list`; for a private model log in with `hf auth login`",
        )
    if status(error) is not None:
        return _refused(error, hub)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"the disk is full: {folder} cannot take more",
            "free some space and pull again: it goes on where it stopped",
        )
    if isinstance(error, HTTPError | TimeoutError | ConnectionError):
        return _unreached(error, hub)
    if isinstance(error, OSError):
        return OutputError(
            f"{error.filename or folder} cannot be written: {error.strerror}",
            "set HF_HOME to a folder that you may write to",
        )
    if isinstance(error, ValueError | KeyError | TypeError):  # what came was no JSON, or not the hub's
        return ModelError(
            f"{hub} does not answer as a hub does", "look at HF_ENDPOINT and at a proxy's settings"
        )
    raise error


def _refused(error: BaseException, hub: str) -> ModelError:
    code = status(error)
    if code == 429:
        wait = retry_after(error)
        when = f"wait {wait:.0f} seconds and pull again" if wait else "wait a while and pull again"
        return ModelError(
            f"{hub} has had too many requests from here (429)", f"{when}: it goes on where it stopped"
        )
    if code in (401, 403):
        return ModelError(
            f"{hub} does not let you have it ({code})", "log in with `hf auth login` and pull again"
        )
    if code is not None and code >= 500:
        return ModelError(f"{hub} has trouble of its own ({code})", _GOES_ON)
    return ModelError(f"{hub} answered {code}", "look at the name, and at HF_ENDPOINT if it is set")


def _unreached(error: BaseException, hub: str) -> ModelError:
    kind = type(error).__name__
    if "Timeout" in kind:
        return ModelError(f"{hub} did not answer in time", _GOES_ON)
    if kind in ("ConnectError", "ProxyError", "ConnectionError"):
        return ModelError(
            f"{hub} cannot be reached",
            "look at the connection and at a proxy's settings; HF_ENDPOINT names another hub",
        )
    return ModelError(f"the connection to {hub} broke off", _GOES_ON)


def _offline(error: BaseException) -> bool:
    from huggingface_hub.errors import OfflineModeIsEnabled

    return isinstance(error, OfflineModeIsEnabled)

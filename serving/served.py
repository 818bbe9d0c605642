"""What a running service answers from: a verified bundle and the scores it made, kept current."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from features.catalogue import feature_named
from serving.online import FILE, OnlineError, OnlineSnapshot, bundle_digest
from training.bundle import Bundle, BundleError, open_bundle

_NO_MODEL = "there is no usable model; run `setia train --promote`"
_log = logging.getLogger("setia.serving")


class NotReady(RuntimeError):
    """There is nothing to serve yet; the message, fit for any client, says what makes it.

    The cause, with paths and file names, is for the log.
    """


@dataclass(frozen=True, eq=False)
class Served:
    """One bundle and the online snapshot of the scores it made."""

    bundle: Bundle
    snapshot: OnlineSnapshot

    @cached_property
    def stale_from(self) -> datetime:
        """The instant from which the scores are stale."""
        about = self.snapshot.about
        return about.created_at + timedelta(days=about.serving.stale_after_days)


def load_served(workspace: Path) -> Served:
    """Open the bundle, whose models are not read yet, and the online snapshot of `workspace`.

    Raises NotReady when either is missing or unusable, or when they do not belong together.
    """
    try:
        bundle = open_bundle(workspace / "bundle")
    except BundleError as error:
        raise NotReady(_NO_MODEL) from error
    try:
        snapshot = OnlineSnapshot(workspace / "scores" / FILE)
    except OnlineError as error:
        raise NotReady("there is no usable scoring run; run `setia score`") from error
    try:
        _belong_together(bundle, snapshot)
        _know_words(bundle)
    except NotReady:
        snapshot.close()
        raise
    return Served(bundle, snapshot)


def _belong_together(bundle: Bundle, snapshot: OnlineSnapshot) -> None:
    about, manifest = snapshot.about, bundle.manifest
    if about.contract_hash != manifest.contract_hash:
        raise NotReady(
            f"the scores were made under feature contract {about.contract_hash[:12]}, the bundle "
            f"has {manifest.contract_hash[:12]}; run `setia score` with the bundle"
        )
    if about.bundle_digest != bundle_digest(bundle):
        raise NotReady(
            f"the scores were made by model {about.model_version}, the bundle is model "
            f"{manifest.version}; run `setia score` with the bundle"
        )


def _know_words(bundle: Bundle) -> None:
    try:
        for name in bundle.contract.names:
            feature_named(name)
    except KeyError as error:
        raise NotReady(f"the bundle was trained with another Setia: {error.args[0]}") from None


def _read_models(served: Served) -> None:
    try:
        _ = served.bundle.models
    except BundleError as error:
        raise NotReady(_NO_MODEL) from error


class Shelf:
    """Holds what is served now and takes up a newer bundle and snapshot once both agree.

    Until they do, what was served before stays: a half-finished run never empties the service.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.reason = "nothing has been loaded yet"
        self._served: Served | None = None
        self._seen: object = None

    @property
    def served(self) -> Served:
        """What to answer from. Raises NotReady when there is nothing yet."""
        if self._served is None:
            raise NotReady(self.reason)
        return self._served

    @property
    def refused(self) -> str | None:
        """Why the newest files are not served while older ones are; None when nothing waits."""
        return self.reason if self.is_ready and self.reason else None

    @property
    def is_ready(self) -> bool:
        """Whether there is something to answer from."""
        return self._served is not None

    def refresh(self) -> bool:
        """Load again if any file has changed since the last try; True when something new is served.

        A running request keeps the bundle and the snapshot it began with. The first to be served
        answers with its scores before its models are read; one that replaces another waits.
        """
        seen = self._signature()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            served = load_served(self.workspace)
            if self.is_ready:
                _read_models(served)
        except NotReady as error:
            self.reason = str(error)
            _log.warning("nothing new to serve: %s (%s)", error, error.__cause__ or "no more known")
            return False
        self._served, self.reason = served, ""
        about = served.snapshot.about
        _log.info("serving %d customers scored by model %s", about.customers, about.model_version)
        return True

    def read_models(self) -> None:
        """Read the models of what is served, for no request to wait; serve nothing if unusable."""
        if self._served is None:
            return
        try:
            _read_models(self._served)
        except NotReady as error:
            self._served, self.reason = None, str(error)
            _log.warning("nothing is served any more: %s (%s)", error, error.__cause__)

    def _signature(self) -> tuple[tuple[str, int, int], ...]:
        """Names, inodes and times of the folder that holds the bundle and of the snapshot.

        Both are replaced by renames, so a new one has another inode.
        """
        paths = (self.workspace / "bundle", self.workspace / "scores" / FILE)
        entries = [(path.name, path.stat()) for path in paths if path.exists()]
        return tuple((name, entry.st_ino, entry.st_mtime_ns) for name, entry in entries)

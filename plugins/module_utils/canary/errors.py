# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The typed errors of the collection. Deep code raises them; one place per way of running turns them into a failure."""

from __future__ import annotations


class CanaryError(Exception):
    """Something a person has to know: its text is a whole sentence and never holds a secret."""


class SpecError(CanaryError):
    """A wrong document or option: which field, which value, and what would be accepted."""

    def __init__(self, path: str, problem: str, hint: str = "") -> None:
        self.path = path
        self.problem = problem
        self.hint = hint
        super().__init__(f"{path}: {problem}" + (f" ({hint})" if hint else ""))


class RecordError(CanaryError):
    """The record cannot be used: damaged, of a newer schema, or not ours (SAFETY 6)."""


class LostLock(CanaryError):
    """Somebody else holds the record (SAFETY 2, 3)."""


class KubeError(CanaryError):
    """The API server refused or could not be reached. ``status`` is the HTTP status, 0 when there was no answer."""

    def __init__(self, message: str, status: int = 0, reason: str = "") -> None:
        self.status = status
        self.reason = reason
        super().__init__(message)

    @property
    def ambiguous(self) -> bool:
        """True when a write may or may not have landed: no answer, or a 5xx that a proxy may have made."""
        return self.status == 0 or self.status >= 500


class TemplateError(CanaryError):
    """A query template that cannot be rendered: unknown function, missing variable, or a construct that is not supported."""


class MissingLibrary(CanaryError):
    """A Python library that a verb needs is not installed where the verb runs.

    ``traceback`` is the text of the failed import, for Ansible's own missing_required_lib; it is not part of the message.
    """

    def __init__(self, library: str, traceback: str = "") -> None:
        self.library = library
        self.traceback = traceback
        super().__init__(f"the Python library {library} is not installed for the interpreter that runs this")

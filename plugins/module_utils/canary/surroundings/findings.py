# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one look around a canary found."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.progressive.delivery.plugins.module_utils.canary.errors import SpecError


@dataclass
class Findings:
    """Refusals forbid a walk, warnings are what people should know before one; each begins with what it is about."""

    problems: list[SpecError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def refuse(self, subject: str, problem: str, hint: str = "") -> None:
        self.problems.append(SpecError(subject, problem, hint))

    def warn(self, subject: str, text: str) -> None:
        self.warnings.append(f"{subject} {text}")

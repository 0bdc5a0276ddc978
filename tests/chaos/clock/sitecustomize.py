# Copyright (c) 2026, The progressive.delivery authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""With this folder in PYTHONPATH, a Python process and its children have a clock that is CLOCK_OFF_BY seconds off; how fast it goes is as ever."""

from __future__ import annotations

import datetime
import os
import time
from typing import Any

OFF_BY = float(os.environ.get("CLOCK_OFF_BY", "0"))
_time, _time_ns, _datetime = time.time, time.time_ns, datetime.datetime


class _Instances(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _datetime)


class _Shifted(_datetime, metaclass=_Instances):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> _Shifted:
        return super().now(tz) + datetime.timedelta(seconds=OFF_BY)

    @classmethod
    def utcnow(cls) -> _Shifted:
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)

    @classmethod
    def today(cls) -> _Shifted:
        return cls.now()


if OFF_BY:
    time.time = lambda: _time() + OFF_BY
    time.time_ns = lambda: _time_ns() + int(OFF_BY * 1_000_000_000)
    datetime.datetime = _Shifted

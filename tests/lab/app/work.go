// Copyright (c) 2026 The progressive.delivery authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/sha256"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// burn spends that much processor time. It is not counted by the clock, so that a request costs the same on a busy machine.
func burn(cost time.Duration) {
	if cost <= 0 {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var block [1024]byte
	for end := spent() + cost; spent() < end; {
		sum := sha256.Sum256(block[:])
		copy(block[:], sum[:])
	}
}

// spent is the processor time that the calling thread has had so far.
func spent() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		panic(err)
	}
	return time.Duration(now.Nano())
}

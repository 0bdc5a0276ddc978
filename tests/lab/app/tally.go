// Copyright (c) 2026 The progressive.delivery authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"sync"
	"time"
)

const bucketMilliseconds = 100

// tally counts the requests of users: all of them, and those of each tenth of a second of the last ten minutes.
type tally struct {
	mu      sync.Mutex
	total   int64
	last    time.Time
	buckets [][2]int64
}

const bucketsKept = 10 * 60 * 1000 / bucketMilliseconds

// add counts one request and returns its number, from 1.
func (t *tally) add(now time.Time) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total++
	t.last = now
	bucket := now.UnixMilli() / bucketMilliseconds
	if last := len(t.buckets) - 1; last >= 0 && t.buckets[last][0] >= bucket {
		t.buckets[last][1]++
		return t.total
	}
	t.buckets = append(t.buckets, [2]int64{bucket, 1})
	if len(t.buckets) > 2*bucketsKept {
		t.buckets = append([][2]int64(nil), t.buckets[len(t.buckets)-bucketsKept:]...)
	}
	return t.total
}

// requestCount is what GET /__requests answers.
type requestCount struct {
	Version  string     `json:"version"`
	Pod      string     `json:"pod"`
	Total    int64      `json:"total"`
	LastUnix float64    `json:"last_unix"`
	Buckets  [][2]int64 `json:"buckets"`
}

func (t *tally) count() requestCount {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := requestCount{Total: t.total, Buckets: append([][2]int64{}, t.buckets...)}
	if !t.last.IsZero() {
		count.LastUnix = float64(t.last.UnixMilli()) / 1000
	}
	return count
}

// Copyright (c) 2026 The progressive.delivery authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"time"
)

const (
	failuresKept = 20
	unknown      = "unknown"
)

// reply is how one request ended. A problem is empty for status 200, "status" for any other, else a kind of error.
type reply struct {
	at      time.Time
	took    time.Duration
	status  int
	problem string
	detail  string
	version string
	backend string
}

// outcome counts good and bad replies.
type outcome struct {
	OK     int64 `json:"ok"`
	Failed int64 `json:"failed"`
}

func (o *outcome) add(r reply) {
	if r.problem == "" {
		o.OK++
	} else {
		o.Failed++
	}
}

// second is what happened in one second: requests started in it, replies that came in it.
type second struct {
	Unix     int64               `json:"t"`
	Sent     int64               `json:"sent"`
	OK       int64               `json:"ok"`
	Failed   int64               `json:"failed"`
	Versions map[string]*outcome `json:"versions"`
	Backends map[string]*outcome `json:"backends"`
}

// failure is one of the first failed requests.
type failure struct {
	Unix    float64 `json:"t"`
	Status  int     `json:"status,omitempty"`
	Error   string  `json:"error"`
	Detail  string  `json:"detail"`
	Version string  `json:"version,omitempty"`
	Backend string  `json:"backend,omitempty"`
	Took    float64 `json:"ms"`
}

// book notes all replies. It is safe for use by many goroutines.
type book struct {
	mu       sync.Mutex
	seconds  map[int64]*second
	total    outcome
	count    int64
	statuses map[string]int64
	errors   map[string]int64
	versions map[string]*outcome
	backends map[string]*outcome
	times    []float32
	failures []failure
}

func newBook() *book {
	return &book{
		seconds: map[int64]*second{}, statuses: map[string]int64{}, errors: map[string]int64{}, versions: map[string]*outcome{}, backends: map[string]*outcome{},
	}
}

func (b *book) sent() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count++
	b.at(time.Now()).Sent++
}

func (b *book) add(r reply) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.at(r.at)
	b.total.add(r)
	if r.problem == "" {
		now.OK++
		b.times = append(b.times, float32(milliseconds(r.took)))
	} else {
		now.Failed++
		if r.problem != "status" {
			b.errors[r.problem]++
		}
		if len(b.failures) < failuresKept {
			b.failures = append(b.failures, failure{unixSeconds(r.at), r.status, r.problem, r.detail, r.version, r.backend, milliseconds(r.took)})
		}
	}
	if r.status != 0 {
		b.statuses[strconv.Itoa(r.status)]++
	}
	for _, counts := range []map[string]*outcome{b.versions, now.Versions} {
		named(counts, r.version).add(r)
	}
	for _, counts := range []map[string]*outcome{b.backends, now.Backends} {
		named(counts, r.backend).add(r)
	}
}

func named(counts map[string]*outcome, name string) *outcome {
	if name == "" {
		name = unknown
	}
	if counts[name] == nil {
		counts[name] = &outcome{}
	}
	return counts[name]
}

func (b *book) at(moment time.Time) *second {
	unix := moment.Unix()
	if b.seconds[unix] == nil {
		b.seconds[unix] = &second{Unix: unix, Versions: map[string]*outcome{}, Backends: map[string]*outcome{}}
	}
	return b.seconds[unix]
}

// line is one second as JSON.
func (b *book) line(unix int64) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return json.Marshal(b.at(time.Unix(unix, 0)))
}

// result is the whole account of a run. Times are Unix seconds, latencies milliseconds.
type result struct {
	URL         string              `json:"url"`
	Rate        float64             `json:"rate"`
	Started     float64             `json:"started"`
	Ended       float64             `json:"ended"`
	Stopped     string              `json:"stopped"`
	Sent        int64               `json:"sent"`
	OK          int64               `json:"ok"`
	Failed      int64               `json:"failed"`
	Statuses    map[string]int64    `json:"statuses"`
	Errors      map[string]int64    `json:"errors"`
	Versions    map[string]*outcome `json:"versions"`
	Backends    map[string]*outcome `json:"backends"`
	Latency     map[string]float64  `json:"latency_ms"`
	Connections int64               `json:"connections"`
	Timeline    []*second           `json:"timeline"`
	Failures    []failure           `json:"failures"`
}

func (b *book) result(g *generator, begun, ended time.Time, stopped string) *result {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &result{
		URL: g.target.Redacted(), Rate: g.rate, Started: unixSeconds(begun), Ended: unixSeconds(ended), Stopped: stopped,
		Sent: b.count, OK: b.total.OK, Failed: b.total.Failed, Statuses: b.statuses, Errors: b.errors, Versions: b.versions, Backends: b.backends,
		Latency: percentiles(b.times), Connections: g.connections.Load(), Timeline: []*second{}, Failures: append([]failure{}, b.failures...),
	}
	for _, one := range b.seconds {
		r.Timeline = append(r.Timeline, one)
	}
	sort.Slice(r.Timeline, func(i, j int) bool { return r.Timeline[i].Unix < r.Timeline[j].Unix })
	return r
}

// percentiles are of the good replies only.
func percentiles(times []float32) map[string]float64 {
	sorted := append([]float32(nil), times...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	found := map[string]float64{}
	for name, share := range map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1} {
		if len(sorted) > 0 {
			found[name] = math.Round(float64(sorted[int(math.Ceil(share*float64(len(sorted))))-1])*1000) / 1000
		}
	}
	return found
}

// write puts the result where it was asked for; a reader never sees half of it.
func (r *result) write(path string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if path == "" {
		_, err = os.Stdout.Write(data)
		return err
	}
	beside := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".writing")
	if err := os.WriteFile(beside, data, 0o644); err != nil {
		return err
	}
	return os.Rename(beside, path)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// Copyright (c) 2026 The progressive.delivery authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const shutdownTimeout = 10 * time.Second

// server answers users on every path but those of operators: probes, metrics, and what starts with two underscores.
type server struct {
	*settings
	tally     tally
	stopping  atomic.Bool
	durations *prometheus.HistogramVec
	requests  *prometheus.CounterVec
}

// serve runs the application until it is told to end, and returns its exit status.
func serve(arguments []string) int {
	s, err := readSettings(arguments)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		log.Println(err)
		return 2
	}
	if s.crash {
		log.Println("crashing, as CRASH says")
		return 1
	}
	return newServer(s).run()
}

func newServer(s *settings) *server {
	srv := &server{
		settings: s,
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Seconds spent serving HTTP requests.", Buckets: prometheus.DefBuckets,
		}, []string{"method", "path", "status"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "The total number of HTTP requests.",
		}, []string{"status"}),
	}
	prometheus.MustRegister(srv.durations, srv.requests)
	return srv
}

func (s *server) routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("/", s.answerUser)
	routes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "OK"})
	})
	routes.HandleFunc("GET /readyz", s.answerReadiness)
	routes.Handle("GET /metrics", promhttp.Handler())
	routes.HandleFunc("GET /__requests", s.answerCount)
	routes.HandleFunc("PUT /__settings", s.changeFaults)
	return routes
}

func (s *server) answerUser(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	number := s.tally.add(begun)
	share, code, delay := s.faults.now()
	if delay > 0 {
		time.Sleep(delay)
	}
	burn(s.work)
	status := http.StatusOK
	if failsByShare(number, share) {
		status = code
	}
	w.Header().Set("X-Version", s.version)
	w.Header().Set("X-Pod", s.pod)
	answer(w, status, map[string]any{"version": s.version, "hostname": s.pod, "request": number})
	s.durations.WithLabelValues(r.Method, pathLabel(r.URL.Path), strconv.Itoa(status)).Observe(time.Since(begun).Seconds())
	s.requests.WithLabelValues(strconv.Itoa(status)).Inc()
}

// failsByShare spreads errors evenly: after n requests exactly floor(n*share) have failed.
func failsByShare(number int64, share float64) bool {
	failed := func(n int64) float64 { return math.Floor(float64(n)*share + 1e-9) }
	return failed(number) > failed(number-1)
}

func (s *server) answerReadiness(w http.ResponseWriter, _ *http.Request) {
	if s.stopping.Load() || !s.faults.isReady(time.Now()) {
		answer(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready"})
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "OK"})
}

func (s *server) answerCount(w http.ResponseWriter, _ *http.Request) {
	count := s.tally.count()
	count.Version, count.Pod = s.version, s.pod
	answer(w, http.StatusOK, count)
}

func (s *server) changeFaults(w http.ResponseWriter, r *http.Request) {
	if err := s.faults.set(r.URL.Query()); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "OK"})
}

func answer(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(document); err != nil {
		log.Println("answering:", err)
	}
}

// pathLabel writes a path as podinfo does: everything but letters and digits is an underscore, and / is root.
func pathLabel(path string) string {
	label := make([]rune, 0, len(path))
	for _, letter := range path {
		plain := letter >= 'a' && letter <= 'z' || letter >= '0' && letter <= '9'
		if letter >= 'A' && letter <= 'Z' {
			letter, plain = letter+'a'-'A', true
		}
		switch {
		case plain:
			label = append(label, letter)
		case len(label) > 0 && label[len(label)-1] != '_':
			label = append(label, '_')
		}
	}
	if last := len(label) - 1; last >= 0 && label[last] == '_' {
		label = label[:last]
	}
	if len(label) == 0 {
		return "root"
	}
	return string(label)
}

func (s *server) run() int {
	httpServer := &http.Server{Addr: fmt.Sprintf(":%d", s.port), Handler: s.routes()}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	failed := make(chan error, 1)
	go func() { failed <- httpServer.ListenAndServe() }()
	log.Printf("version %s on port %d", s.version, s.port)
	select {
	case err := <-failed:
		log.Println(err)
		return 1
	case received := <-signals:
		log.Printf("%s: %s", received, s.onTerm)
	}
	if s.onTerm == exitOnTerm {
		return 0
	}
	s.stopping.Store(true)
	httpServer.SetKeepAlivesEnabled(false)
	time.Sleep(s.drain)
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := httpServer.Shutdown(ctx); err != nil {
		log.Println(err)
		return 1
	}
	return 0
}

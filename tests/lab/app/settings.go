// Copyright (c) 2026 The progressive.delivery authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	drainOnTerm = "drain"
	exitOnTerm  = "exit"
)

// settings are fixed for the life of a server, but for the faults.
type settings struct {
	port    int
	version string
	pod     string
	onTerm  string
	drain   time.Duration
	work    time.Duration
	crash   bool
	faults  faults
}

// faults can be changed while the server runs, by PUT /__settings.
type faults struct {
	mu         sync.RWMutex
	errorShare float64
	errorCode  int
	delay      time.Duration
	ready      bool
	readyAt    time.Time
}

func (f *faults) now() (share float64, code int, delay time.Duration) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.errorShare, f.errorCode, f.delay
}

func (f *faults) isReady(now time.Time) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.ready && !now.Before(f.readyAt)
}

// set changes the faults that the query names: all of them, or none and an error.
func (f *faults) set(query url.Values) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	share, code, delay, ready := f.errorShare, f.errorCode, f.delay, f.ready
	var problems []error
	for name, values := range query {
		var err error
		switch name {
		case "error_share":
			share, err = parseShare(values[0])
		case "error_code":
			code, err = strconv.Atoi(values[0])
		case "delay":
			delay, err = time.ParseDuration(values[0])
		case "ready":
			ready, err = strconv.ParseBool(values[0])
		default:
			err = fmt.Errorf("unknown setting %q: there are error_share, error_code, delay, ready", name)
		}
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	f.errorShare, f.errorCode, f.delay, f.ready = share, code, delay, ready
	return nil
}

func parseShare(text string) (float64, error) {
	share, err := strconv.ParseFloat(text, 64)
	if err == nil && !(share >= 0 && share <= 1) {
		err = fmt.Errorf("a share is between 0 and 1, not %s", text)
	}
	return share, err
}

// readSettings takes flags, and for what they do not say the environment.
func readSettings(arguments []string) (*settings, error) {
	s := &settings{}
	var share string
	var readyAfter time.Duration
	problems := &environment{}
	set := flag.NewFlagSet("testapp serve", flag.ContinueOnError)
	set.IntVar(&s.port, "port", problems.integer("PORT", 9898), "port to listen on (PORT)")
	set.StringVar(&s.version, "version", text("VERSION", "0"), "version to answer with (VERSION)")
	set.StringVar(&share, "error-share", text("ERROR_SHARE", "0"), "share of requests, 0 to 1, that get an error: every (1/share)-th, not by chance (ERROR_SHARE)")
	set.IntVar(&s.faults.errorCode, "error-code", problems.integer("ERROR_CODE", 500), "status of those errors (ERROR_CODE)")
	set.DurationVar(&s.faults.delay, "delay", problems.duration("DELAY", 0), "time to wait before each answer (DELAY)")
	set.DurationVar(&s.work, "work", problems.duration("WORK", 0), "processor time that each answer takes (WORK)")
	set.StringVar(&s.onTerm, "on-term", text("ON_TERM", drainOnTerm), "drain: on SIGTERM fail readiness, serve for the drain time, then stop; exit: end at once (ON_TERM)")
	set.DurationVar(&s.drain, "drain", problems.duration("DRAIN", 3*time.Second), "how long to go on serving after SIGTERM (DRAIN)")
	set.BoolVar(&s.faults.ready, "ready", problems.boolean("READY", true), "false: never ready (READY)")
	set.DurationVar(&readyAfter, "ready-after", problems.duration("READY_AFTER", 0), "time from the start until ready (READY_AFTER)")
	set.BoolVar(&s.crash, "crash", problems.boolean("CRASH", false), "end with status 1 at the start (CRASH)")
	if err := set.Parse(arguments); err != nil {
		return nil, err
	}
	var err error
	if s.faults.errorShare, err = parseShare(share); err != nil {
		problems.add("ERROR_SHARE", err)
	}
	if s.onTerm != drainOnTerm && s.onTerm != exitOnTerm {
		problems.add("ON_TERM", fmt.Errorf("it is %s or %s, not %q", drainOnTerm, exitOnTerm, s.onTerm))
	}
	s.faults.readyAt = time.Now().Add(readyAfter)
	s.pod = text("POD_NAME", "")
	if s.pod == "" {
		s.pod, err = os.Hostname()
		problems.add("host name", err)
	}
	return s, errors.Join(problems.errors...)
}

// environment reads typed variables and collects what is wrong with them.
type environment struct {
	errors []error
}

func (e *environment) add(name string, err error) {
	if err != nil {
		e.errors = append(e.errors, fmt.Errorf("%s: %w", name, err))
	}
}

func (e *environment) integer(name string, otherwise int) int {
	value, err := strconv.Atoi(text(name, strconv.Itoa(otherwise)))
	e.add(name, err)
	return value
}

func (e *environment) duration(name string, otherwise time.Duration) time.Duration {
	value, err := time.ParseDuration(text(name, otherwise.String()))
	e.add(name, err)
	return value
}

func (e *environment) boolean(name string, otherwise bool) bool {
	value, err := strconv.ParseBool(text(name, strconv.FormatBool(otherwise)))
	e.add(name, err)
	return value
}

func text(name, otherwise string) string {
	if value, ok := os.LookupEnv(name); ok && value != "" {
		return value
	}
	return otherwise
}

// Copyright (c) 2026 The progressive.delivery authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	longestLoad   = time.Hour
	mostBodyBytes = 1 << 20
)

// plan is what the load generator was told to do.
type plan struct {
	target        *url.URL
	host          string
	method        string
	headers       headerList
	rate          float64
	duration      time.Duration
	untilFile     string
	timeout       time.Duration
	maxInFlight   int64
	oneConnection bool
	insecure      bool
	version       sources
	backend       sources
	out           string
	live          string
}

type headerList [][2]string

func (h *headerList) String() string { return fmt.Sprint(*h) }

func (h *headerList) Set(text string) error {
	name, value, found := strings.Cut(text, ":")
	if !found {
		return fmt.Errorf("a header is Name: value, not %q", text)
	}
	*h = append(*h, [2]string{strings.TrimSpace(name), strings.TrimSpace(value)})
	return nil
}

func readPlan(arguments []string) (*plan, error) {
	p := &plan{version: sources{{header, "X-Version"}, {field, "message"}}, backend: sources{{header, "X-Pod"}, {field, "hostname"}}}
	var target string
	set := flag.NewFlagSet("testapp load", flag.ContinueOnError)
	set.StringVar(&target, "url", "", "where to send requests; nothing else is ever called, redirections are not followed (required)")
	set.StringVar(&p.host, "host", "", "Host header, by default the URL's")
	set.StringVar(&p.method, "method", http.MethodGet, "method of the requests")
	set.Var(&p.headers, "header", "further header, 'Name: value'; may be given several times")
	set.Float64Var(&p.rate, "rate", 100, "requests a second, sent at fixed times whether earlier ones were answered or not")
	set.DurationVar(&p.duration, "duration", 0, "how long to send")
	set.StringVar(&p.untilFile, "until-file", "", "send until this file exists; with -duration, no longer than that, else no longer than "+longestLoad.String())
	set.DurationVar(&p.timeout, "timeout", 5*time.Second, "longest wait for one answer, from the request's scheduled time")
	set.Int64Var(&p.maxInFlight, "max-in-flight", 2000, "requests beyond that many unanswered ones are not sent and count as failed, as dropped")
	set.BoolVar(&p.oneConnection, "one-connection", false, "send everything over one keep-alive connection, one after the other")
	set.BoolVar(&p.insecure, "insecure", false, "do not verify the server's certificate")
	set.Var(&p.version, "version-from", "where an answer says its version, first found counts: header:NAME or json:FIELD, comma-separated")
	set.Var(&p.backend, "backend-from", "where an answer says its pod, likewise")
	set.StringVar(&p.out, "out", "", "file for the result (JSON), by default standard output")
	set.StringVar(&p.live, "live", "", "file that gets one JSON line a second")
	if err := set.Parse(arguments); err != nil {
		return nil, err
	}
	var err error
	if p.target, err = url.Parse(target); err != nil {
		return nil, err
	}
	switch {
	case set.NArg() > 0:
		return nil, fmt.Errorf("what is %q meant to be? Options start with a dash", set.Arg(0))
	case p.target.Scheme != "http" && p.target.Scheme != "https" || p.target.Host == "":
		return nil, fmt.Errorf("--url has to be http://... or https://..., not %q", target)
	case p.rate <= 0 || p.rate > 20000:
		return nil, fmt.Errorf("--rate has to be above 0 and at most 20000, not %g", p.rate)
	case p.duration < 0 || p.timeout <= 0 || p.maxInFlight < 1:
		return nil, errors.New("--duration, --timeout and --max-in-flight have to be above 0")
	case p.duration == 0 && p.untilFile == "":
		return nil, errors.New("say when to stop: --duration or --until-file")
	case p.duration == 0:
		p.duration = longestLoad
	}
	return p, nil
}

// load sends requests as planned and writes the result, also when it is told to end early; 0 means that the result was written.
func load(arguments []string) int {
	p, err := readPlan(arguments)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		log.Println(err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	result, err := newGenerator(p).run(ctx)
	if err == nil {
		err = result.write(p.out)
	}
	if err != nil {
		log.Println(err)
		return 1
	}
	return 0
}

type generator struct {
	*plan
	client      *http.Client
	book        *book
	inFlight    atomic.Int64
	connections atomic.Int64
}

func newGenerator(p *plan) *generator {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: p.timeout}).DialContext,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: p.insecure},
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     90 * time.Second,
	}
	if p.oneConnection {
		transport.MaxConnsPerHost = 1
	}
	return &generator{plan: p, book: newBook(), client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (g *generator) run(ctx context.Context) (*result, error) {
	stopLive, err := g.startLive()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	stopped := g.send(ctx, begun)
	sendingEnded := time.Now()
	stopLive()
	return g.book.result(g, begun, sendingEnded, stopped), nil
}

// send starts each request at its time, waits for all of them, and says why it stopped.
func (g *generator) send(ctx context.Context, begun time.Time) string {
	var running sync.WaitGroup
	defer running.Wait()
	pause := time.NewTimer(0)
	defer pause.Stop()
	lastLook := begun
	for number := int64(0); ; number++ {
		due := begun.Add(time.Duration(float64(number) / g.rate * float64(time.Second)))
		if due.Sub(begun) >= g.duration {
			return "duration"
		}
		pause.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return "signal"
		case <-pause.C:
		}
		if g.untilFile != "" && due.Sub(lastLook) >= 100*time.Millisecond {
			lastLook = due
			if _, err := os.Stat(g.untilFile); err == nil {
				return "until-file"
			}
		}
		g.book.sent()
		if g.inFlight.Add(1) > g.maxInFlight {
			g.inFlight.Add(-1)
			g.book.add(reply{at: time.Now(), problem: "dropped", detail: fmt.Sprintf("more than %d requests in flight", g.maxInFlight)})
			continue
		}
		running.Add(1)
		go func() {
			defer running.Done()
			defer g.inFlight.Add(-1)
			g.book.add(g.ask(due))
		}()
	}
}

// ask sends one request. Its time counts from when it was due, so that a stalled client hides nothing.
func (g *generator) ask(due time.Time) reply {
	ctx, cancel := context.WithDeadline(context.Background(), due.Add(g.timeout))
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if !info.Reused {
			g.connections.Add(1)
		}
	}})
	request, err := http.NewRequestWithContext(ctx, g.method, g.target.String(), nil)
	if err != nil {
		return finished(due, reply{problem: "request", detail: err.Error()})
	}
	for _, header := range g.headers {
		request.Header.Add(header[0], header[1])
	}
	request.Host = g.host
	response, err := g.client.Do(request)
	if err != nil {
		return finished(due, reply{problem: kind(err), detail: err.Error()})
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostBodyBytes))
	answered := reply{status: response.StatusCode, version: g.version.find(response.Header, body), backend: g.backend.find(response.Header, body)}
	switch {
	case err != nil:
		answered.problem, answered.detail = kind(err), err.Error()
	case response.StatusCode != http.StatusOK:
		answered.problem, answered.detail = "status", string(bytes.TrimSpace(body[:min(len(body), 200)]))
	}
	return finished(due, answered)
}

func finished(due time.Time, r reply) reply {
	r.at = time.Now()
	r.took = r.at.Sub(due)
	return r
}

// kind names the sort of a transport error.
func kind(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	default:
		return "other"
	}
}

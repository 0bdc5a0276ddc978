// Copyright (c) 2026 The progressive.delivery authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func TestErrorsAreSpreadEvenlyAndExactly(t *testing.T) {
	for _, share := range []float64{0, 0.01, 0.1, 0.2, 1.0 / 3, 0.5, 0.7, 1} {
		failed := 0
		for number := int64(1); number <= 3000; number++ {
			if failsByShare(number, share) {
				failed++
			}
		}
		if want := int(3000*share + 1e-6); failed != want {
			t.Errorf("share %g: %d of 3000 failed, want %d", share, failed, want)
		}
	}
}

func TestPathsAreLabelledAsPodinfoDoes(t *testing.T) {
	for path, want := range map[string]string{"/": "root", "": "root", "/api/info": "api_info", "/API//Delay/{wait}": "api_delay_wait", "/ä/b": "b"} {
		if got := pathLabel(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestFaultsChangeAllOrNone(t *testing.T) {
	f := &faults{errorCode: 500, ready: true}
	if err := f.set(url.Values{"error_share": {"0.5"}, "delay": {"10ms"}, "ready": {"false"}}); err != nil {
		t.Fatal(err)
	}
	for _, query := range []url.Values{{"error_share": {"0.9"}, "delay": {"soon"}}, {"error_share": {"1.5"}}, {"error_share": {"NaN"}}, {"colour": {"red"}}} {
		if f.set(query) == nil {
			t.Errorf("%v was accepted", query)
		}
	}
	if share, _, delay := f.now(); share != 0.5 || delay != 10*time.Millisecond || f.isReady(time.Now()) {
		t.Errorf("share %g, delay %s", share, delay)
	}
}

func TestWorkTakesAsMuchProcessorTime(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, work := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond} {
		begun := spent()
		burn(work)
		if took := spent() - begun; took < work || took > work+2*time.Millisecond {
			t.Errorf("%s of work took %s", work, took)
		}
	}
}

func TestOnlyRequestsOfUsersAreCounted(t *testing.T) {
	s := newServer(&settings{version: "1", pod: "p"})
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/__requests", "/", "/any/path"} {
		s.routes().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	if total := s.tally.count().Total; total != 2 {
		t.Errorf("%d requests counted, want 2", total)
	}
}

func TestTheFirstSourceThatIsThereSpeaks(t *testing.T) {
	var s sources
	if err := s.Set("header:X-Version,json:message"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		headers http.Header
		body    string
		want    string
	}{
		{http.Header{"X-Version": {"2"}}, `{"message": "A"}`, "2"},
		{http.Header{}, `{"message": "A"}`, "A"},
		{http.Header{}, "no JSON", ""},
	} {
		if got := s.find(c.headers, []byte(c.body)); got != c.want {
			t.Errorf("%v %s: %q, want %q", c.headers, c.body, got, c.want)
		}
	}
}

// target answers 200, 503, and for /slow nothing for a while.
func target(t *testing.T) *httptest.Server {
	number := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(300 * time.Millisecond)
			return
		}
		number++
		if number%4 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func run(t *testing.T, arguments ...string) *result {
	p, err := readPlan(arguments)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newGenerator(p).run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryStatusBut200IsAFailure(t *testing.T) {
	r := run(t, "--url", target(t).URL, "--rate", "100", "--duration", "1s", "--one-connection")
	if r.Sent != 100 || r.OK != 75 || r.Failed != 25 || r.Statuses["503"] != 25 || len(r.Failures) != failuresKept {
		t.Errorf("%+v", r)
	}
}

func TestSlowAnswersDelayNoRequestAndDroppedOnesCount(t *testing.T) {
	r := run(t, "--url", target(t).URL+"/slow", "--rate", "100", "--duration", "1s", "--max-in-flight", "10")
	if r.Sent != 100 || r.Errors["dropped"] < 50 || r.OK+r.Failed != r.Sent || r.Ended-r.Started > 2 {
		t.Errorf("sent %d, ok %d, failed %d, %v, %g s", r.Sent, r.OK, r.Failed, r.Errors, r.Ended-r.Started)
	}
}

func TestNobodyThereIsRefused(t *testing.T) {
	server := target(t)
	server.Close()
	r := run(t, "--url", server.URL, "--rate", "20", "--duration", "500ms")
	if r.Sent != 10 || r.Errors["refused"] != 10 {
		t.Errorf("%+v: %v", r, syscall.ECONNREFUSED)
	}
}

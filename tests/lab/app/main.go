// Copyright (c) 2026 The progressive.delivery authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Testapp is the lab's own application: a server whose faults are settings, and an open-loop load generator.
package main

import (
	"fmt"
	"os"
)

const usage = `usage: testapp serve [flags]   an HTTP application; its settings are flags or environment variables
       testapp load  [flags]   an open-loop load generator
       testapp serve|load -h   the flags`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	switch os.Args[1] {
	case "serve":
		os.Exit(serve(os.Args[2:]))
	case "load":
		os.Exit(load(os.Args[2:]))
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
}

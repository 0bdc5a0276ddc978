// Copyright (c) 2026 The progressive.delivery authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"log"
	"os"
	"time"
)

// startLive writes a line for each second that is over; the function that it returns writes the last one and ends it.
func (g *generator) startLive() (func(), error) {
	if g.live == "" {
		return func() {}, nil
	}
	file, err := os.Create(g.live)
	if err != nil {
		return nil, err
	}
	enough, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer file.Close()
		for unix := time.Now().Unix(); ; unix++ {
			select {
			case <-enough:
				for ; unix <= time.Now().Unix(); unix++ {
					g.writeLine(file, unix)
				}
				return
			case <-time.After(time.Until(time.Unix(unix+1, 0))):
				g.writeLine(file, unix)
			}
		}
	}()
	return func() { close(enough); <-ended }, nil
}

func (g *generator) writeLine(file *os.File, unix int64) {
	line, err := g.book.line(unix)
	if err == nil {
		_, err = file.Write(append(line, '\n'))
	}
	if err != nil {
		log.Println("live file:", err)
	}
}

// Copyright (c) 2026 The progressive.delivery authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

const (
	header = "header"
	field  = "json"
)

// sources are places in an answer where it may say something about itself, in the order of looking.
type sources []source

type source struct {
	where string
	name  string
}

func (s *sources) String() string {
	parts := make([]string, 0, len(*s))
	for _, one := range *s {
		parts = append(parts, one.where+":"+one.name)
	}
	return strings.Join(parts, ",")
}

func (s *sources) Set(text string) error {
	var parsed sources
	for _, part := range strings.Split(text, ",") {
		where, name, found := strings.Cut(part, ":")
		if !found || where != header && where != field || name == "" {
			return fmt.Errorf("%q is neither header:NAME nor json:FIELD", part)
		}
		parsed = append(parsed, source{where, name})
	}
	*s = parsed
	return nil
}

// find is what the first source that is there says, or nothing.
func (s sources) find(headers http.Header, body []byte) string {
	var document map[string]any
	for _, one := range s {
		if one.where == header {
			if value := headers.Get(one.name); value != "" {
				return value
			}
			continue
		}
		if document == nil && json.Unmarshal(body, &document) != nil {
			continue
		}
		if value, ok := document[one.name]; ok {
			return fmt.Sprint(value)
		}
	}
	return ""
}

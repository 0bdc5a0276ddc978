#!/usr/bin/env bash

set -eu

exec python -m pytest -p no:cacheprovider --import-mode=importlib --numprocesses 2 "$@" .

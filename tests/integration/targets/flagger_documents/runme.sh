#!/usr/bin/env bash

set -eu

# These tests import the collection, which ansible-test only tells Ansible about.
export PYTHONPATH="${ANSIBLE_COLLECTIONS_PATH%%:*}${PYTHONPATH:+:$PYTHONPATH}"
exec python -m pytest -p no:cacheprovider --import-mode=importlib --numprocesses 2 "$@" .
